import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { quote } from '../targets/rules.ts';
import { sharePrincipal } from './principals.ts';
import { covers, readEntries, type ScopeEntry, sortKey } from './scope-entries.ts';

/** What is said of one pair of entries, once. */
type Nesting<T> = { readonly outer: T; readonly inner: T };

/** Most pairs that are looked at: lists of a thousand equal entries have half a million. */
const MAX_PAIRS = 5000;
const MAX_SHOWN = 20;

/** Entries of one scope that say nothing: denied whole, or named by another one. */
export function scopeNotices({ scope }: Pick<EngagementDocument, 'scope'>): readonly string[] {
  const allow = readEntries(scope.allow).map((entry) => ({ entry, list: 'allow' }));
  const deny = readEntries(scope.deny ?? []).map((entry) => ({ entry, list: 'deny' }));
  const notices = new Map<string, string>();
  const found = nestings([...deny, ...allow]);
  for (const { outer, inner } of found) {
    const place = `scope.${inner.list}[${inner.entry.at}]`;
    const text = quote(inner.entry.text);
    if (outer.list === inner.list) {
      const how = covers(inner.entry, outer.entry) ? 'repeats' : 'lies within';
      notices.set(`${place}=`, `${place} ${text} ${how} ${quote(outer.entry.text)} and adds nothing`);
    } else if (outer.list === 'deny') {
      notices.set(
        `${place}-`,
        `${place} ${text} lies within scope.deny ${quote(outer.entry.text)} and permits nothing`,
      );
    }
  }
  return cut([...notices.values()]);
}

/** By id: the other engagements under which one of its principals may touch the same target. */
export function overlapNotices(documents: readonly EngagementDocument[]): ReadonlyMap<string, readonly string[]> {
  const entries = documents.flatMap((document, at) => {
    const denied = readEntries(document.scope.deny ?? []);
    const isDenied = (entry: ScopeEntry) => denied.some((outer) => covers(outer, entry));
    return readEntries(document.scope.allow).map((entry) => ({ entry, list: document.id, at, document, isDenied }));
  });
  const said = new Map<string, string[]>();
  const pairs = new Set<number>();
  for (const { outer, inner } of nestings(entries)) {
    const pair = Math.min(outer.at, inner.at) * documents.length + Math.max(outer.at, inner.at);
    if (outer.at === inner.at || pairs.has(pair)) continue;
    if (outer.isDenied(inner.entry) || inner.isDenied(inner.entry)) continue;
    pairs.add(pair);
    if (!sharePrincipal(outer.document.principals, inner.document.principals)) continue;
    note(said, { of: outer.list, other: inner.list, entry: inner.entry });
    note(said, { of: inner.list, other: outer.list, entry: inner.entry });
  }
  return new Map([...said].map(([id, notices]) => [id, cut(notices)]));
}

interface Overlap {
  readonly of: string;
  readonly other: string;
  readonly entry: ScopeEntry;
}

function note(said: Map<string, string[]>, { of, other, entry }: Overlap): void {
  const notices = said.get(of) ?? [];
  said.set(of, notices);
  // What is cut from the end is only counted.
  const isShown = notices.length < MAX_SHOWN;
  notices.push(
    isShown ? `${quote(entry.text)} is also in the scope of engagement ${other}, which shares a principal` : '',
  );
}

/** Every entry with each that covers it. In sorted order those are a chain, so that most pairs are never looked at. */
function nestings<T extends { readonly entry: ScopeEntry; readonly list: string }>(
  entries: readonly T[],
): Nesting<T>[] {
  const keyed = entries.map((item) => ({ item, key: sortKey(item.entry) }));
  const found: Nesting<T>[] = [];
  const chain: T[] = [];
  for (const { item } of keyed.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))) {
    while (chain.length > 0 && !isAround(chain.at(-1), item)) chain.pop();
    for (const outer of chain) {
      if (found.length >= MAX_PAIRS) return found;
      if (covers(outer.entry, item.entry)) found.push({ outer, inner: item });
    }
    chain.push(item);
  }
  return found;
}

/** Whether entries after this one may still lie within it: the exact name stands before what is below it. */
function isAround(outer: { readonly entry: ScopeEntry } | undefined, inner: { readonly entry: ScopeEntry }): boolean {
  if (outer === undefined) return false;
  const { entry } = outer;
  if (covers(entry, inner.entry)) return true;
  return entry.is === 'name' && inner.entry.is === 'name' && `.${inner.entry.name}`.endsWith(`.${entry.name}`);
}

function cut(notices: readonly string[]): readonly string[] {
  const rest = notices.length - MAX_SHOWN;
  return rest <= 0 ? notices : [...notices.slice(0, MAX_SHOWN), `and ${rest} more about the scope`];
}
