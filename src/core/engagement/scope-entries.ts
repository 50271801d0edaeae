import { type Cidr, contains, parseCidr } from '../targets/address.ts';
import { parseName } from '../targets/name.ts';

/** One entry of a checked scope, and where it stands in its list. */
export type ScopeEntry = { readonly text: string; readonly at: number } & (
  | { readonly is: 'block'; readonly block: Cidr }
  | { readonly is: 'name'; readonly name: string; readonly wildcard: boolean }
);

/** Reads the entries of a scope that parseScope found no fault in. */
export function readEntries(texts: readonly string[]): readonly ScopeEntry[] {
  return texts.flatMap((text, at): ScopeEntry[] => {
    const block = parseCidr(text);
    if (block.ok) return [{ text, at, is: 'block', block: block.value }];
    const wildcard = text.startsWith('*.');
    const name = parseName(wildcard ? text.slice(2) : text);
    return name.ok ? [{ text, at, is: 'name', name: name.value, wildcard }] : [];
  });
}

/** Whether everything that `inner` names is named by `outer` too. */
export function covers(outer: ScopeEntry, inner: ScopeEntry): boolean {
  if (outer.is === 'block') return inner.is === 'block' && contains(outer.block, inner.block);
  if (inner.is === 'block') return false;
  if (!outer.wildcard) return !inner.wildcard && outer.name === inner.name;
  return inner.name.endsWith(`.${outer.name}`) || (inner.wildcard && inner.name === outer.name);
}

/** A key by which entries sort so that an entry stands directly before everything that it covers. */
export function sortKey(entry: ScopeEntry): string {
  if (entry.is === 'block') {
    const { family, bits, prefix } = entry.block;
    return `${family} ${bits.toString(16).padStart(32, '0')} ${String(prefix).padStart(3, '0')}`;
  }
  const labels = entry.name.split('.').toReversed().join(' ');
  // `*.a` covers `*.b.a` and `b.a`, not `a`: the exact name goes to the front, then the wildcard, then what is below.
  return `n ${labels}${entry.wildcard ? ' \u0001' : ''}`;
}
