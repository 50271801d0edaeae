import { SallyportError } from '../errors.ts';
import { type Cidr, contains, formatCidr, isCovered, overlaps, parseCidr } from './address.ts';
import { parseName } from './name.ts';
import { fault, type Parsed, parsed, quote } from './rules.ts';
import { isWhollyDenied } from './special-ranges.ts';

/** `domain`: the name is asked about (a zone is enumerated); `host`: the name is looked up and its address contacted. */
export type NameUse = 'host' | 'domain';

/** What the operator allows and denies. A denied match always wins; the policy asks `denies…` before `allows…`. */
export interface Scope {
  /** True when every address of the block is allowed, be it by several entries together. */
  allowsBlock(block: Cidr): boolean;
  /** The denied entry that shares an address with the block. */
  deniesBlock(block: Cidr): string | undefined;
  allowsName(name: string, use: NameUse): boolean;
  /** The denied entry that matches the name. */
  deniesName(name: string, use: NameUse): string | undefined;
  /** True when every name below the name is allowed: only a wildcard can say so. */
  allowsBelow(name: string): boolean;
  /** The denied entry that is, or covers, a name below the name. */
  deniesBelow(name: string): string | undefined;
  /** The allowed entry that holds the whole block; undefined where several hold it together, or none does. */
  blockEntry(block: Cidr): string | undefined;
  /** The allowed entry that matches the name. */
  nameEntry(name: string, use: NameUse): string | undefined;
  /** How many entries are denied. */
  readonly denied: number;
  /** The allowed entries for a message, cut after eight. */
  readonly summary: string;
}

type Entry =
  | { readonly is: 'block'; readonly block: Cidr }
  | { readonly is: 'name'; readonly name: string; readonly wildcard: boolean };

/** Blocks larger than these are a mistake in an allow list: 0.0.0.0/0 is not a scope. Unique local is fc00::/7. */
const SHORTEST_ALLOWED = { 4: 8, 6: 7 } as const;

/** Every fault of the lists, one sentence each, with list and index. Empty when they make a scope. */
export function parseScope(allow: readonly string[], deny: readonly string[]): readonly string[] {
  return [...faultsOf(allow, 'allow'), ...faultsOf(deny, 'deny')];
}

/** Makes a scope. Throws ERR_CONFIG_INVALID with every fault of the lists. */
export function createScope(allow: readonly string[], deny: readonly string[]): Scope {
  const faults = parseScope(allow, deny);
  if (faults.length > 0) throw new SallyportError('ERR_CONFIG_INVALID', faults.join('; '), { details: { faults } });
  const allowed = readEntries(allow);
  const denied = readEntries(deny);
  const allowedBlocks = allowed.flatMap((entry) => (entry.is === 'block' ? [entry.block] : []));
  return {
    allowsBlock: (block) => isCovered(block, allowedBlocks),
    deniesBlock: (block) => describe(denied.find((entry) => entry.is === 'block' && overlaps(entry.block, block))),
    allowsName: (name, use) => allowed.some((entry) => matchesName(entry, name, use)),
    deniesName: (name, use) => describe(denied.find((entry) => matchesName(entry, name, use))),
    allowsBelow: (name) => allowed.some((entry) => isWildcard(entry) && matchesName(entry, name, 'domain')),
    deniesBelow: (name) => describe(denied.find((entry) => liesBelow(entry, name))),
    blockEntry: (block) => describe(allowed.find((entry) => entry.is === 'block' && contains(entry.block, block))),
    nameEntry: (name, use) => describe(allowed.find((entry) => matchesName(entry, name, use))),
    denied: denied.length,
    summary: summarise(allow),
  };
}

function faultsOf(list: readonly string[], name: 'allow' | 'deny'): readonly string[] {
  return list.flatMap((text, index) => {
    const entry = parseEntry(text);
    const wrong = entry.ok ? (name === 'allow' ? allowFault(entry.value) : undefined) : entry.fault;
    return wrong === undefined ? [] : [`scope.${name}[${index}] ${quote(text)}: ${wrong}`];
  });
}

/**
 * `*.lab.internal` matches every name below lab.internal, at any depth, on label borders only (badlab.internal is not
 * below it). It does not match the host `lab.internal`, which must be listed itself. For a `domain` it does match
 * `lab.internal`: enumerating that zone asks for the names that the wildcard covers, and contacts nothing.
 */
function matchesName(entry: Entry, name: string, use: NameUse): boolean {
  if (entry.is !== 'name') return false;
  if (!entry.wildcard) return entry.name === name;
  return name.endsWith(`.${entry.name}`) || (use === 'domain' && name === entry.name);
}

function isWildcard(entry: Entry): boolean {
  return entry.is === 'name' && entry.wildcard;
}

function liesBelow(entry: Entry, name: string): boolean {
  return entry.is === 'name' && entry.name.endsWith(`.${name}`);
}

function parseEntry(text: string): Parsed<Entry> {
  const isBlock = text.includes('/') || text.includes(':') || /^[\d.]+$/.test(text);
  if (isBlock) {
    const block = parseCidr(text);
    return block.ok ? parsed({ is: 'block', block: block.value }) : block;
  }
  const wildcard = text.startsWith('*.');
  if (text.includes('*') && (!wildcard || text.lastIndexOf('*') > 0)) {
    return fault('a wildcard is written *.name and covers every name below it');
  }
  const name = parseName(wildcard ? text.slice(2) : text);
  return name.ok ? parsed({ is: 'name', name: name.value, wildcard }) : name;
}

function allowFault(entry: Entry): string | undefined {
  if (entry.is !== 'block') return undefined;
  const { family, prefix } = entry.block;
  if (prefix < SHORTEST_ALLOWED[family]) return `too large; the shortest prefix is /${SHORTEST_ALLOWED[family]}`;
  return isWhollyDenied(entry.block) ? 'always denied; no configuration lifts it' : undefined;
}

function readEntries(list: readonly string[]): readonly Entry[] {
  return list.flatMap((text) => {
    const entry = parseEntry(text);
    return entry.ok ? [entry.value] : [];
  });
}

function describe(entry: Entry | undefined): string | undefined {
  if (entry === undefined) return undefined;
  if (entry.is === 'block') return formatCidr(entry.block);
  return entry.wildcard ? `*.${entry.name}` : entry.name;
}

function summarise(allow: readonly string[]): string {
  if (allow.length === 0) return 'nothing';
  return allow.length <= 8 ? allow.join(', ') : `${allow.slice(0, 8).join(', ')} and ${allow.length - 8} more`;
}
