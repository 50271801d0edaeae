import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { quote } from '../targets/rules.ts';
import { type Comparer, createComparer, nestings } from './nestings.ts';
import { sharePrincipal } from './principals.ts';
import { covers, readEntries, type ScopeEntry } from './scope-entries.ts';

/** Most comparisons for one answer: lists of a thousand equal entries have half a million pairs. */
export const MAX_COMPARED = 50_000;
/** Most entries of all engagements together that are read to be compared. */
export const MAX_READ = 10_000;
const MAX_SHOWN = 20;

/** Entries of one scope that say nothing: denied whole, or named by another one. */
export function scopeNotices(
  { scope }: Pick<EngagementDocument, 'scope'>,
  comparer: Comparer = createComparer(MAX_COMPARED),
): readonly string[] {
  const allow = readEntries(scope.allow).map((entry) => ({ entry, list: 'allow' }));
  const deny = readEntries(scope.deny ?? []).map((entry) => ({ entry, list: 'deny' }));
  const notices = new Map<string, string>();
  for (const { outer, inner } of nestings([...deny, ...allow], comparer)) {
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
  return [
    ...cut([...notices.values()]),
    ...(comparer.isSpent ? ['the scope is large: not all of its entries were compared'] : []),
  ];
}

interface Named {
  readonly entry: ScopeEntry;
  /** Its engagement. */
  readonly of: EngagementDocument;
}

/** By id: the other engagements under which one of its principals may touch the same target. */
export function overlapNotices(
  documents: readonly EngagementDocument[],
  comparer: Comparer = createComparer(MAX_COMPARED),
): ReadonlyMap<string, readonly string[]> {
  const said = new Map<string, string[]>();
  const { entries, isWhole } = readSome(documents);
  const settled = new Set<string>();
  const shares = ({ principals: one }: EngagementDocument, { principals: other }: EngagementDocument) => {
    comparer.spend(one.length + other.length);
    return sharePrincipal(one, other);
  };
  const isDenied = createDenied(comparer);
  for (const { outer, inner } of nestings(entries, comparer)) {
    const pair = [outer.of.id, inner.of.id].sort().join();
    if (outer.of === inner.of || settled.has(pair)) continue;
    if (!shares(outer.of, inner.of)) {
      settled.add(pair);
      continue;
    }
    if (isDenied(outer.of, inner.entry) || isDenied(inner.of, inner.entry)) continue;
    // What could not be looked for among denied entries may be there.
    if (comparer.isSpent) break;
    settled.add(pair);
    note(said, { of: outer.of.id, other: inner.of.id, entry: inner.entry });
    note(said, { of: inner.of.id, other: outer.of.id, entry: inner.entry });
  }
  const found = new Map([...said].map(([id, notices]) => [id, cut(notices)]));
  if (isWhole && !comparer.isSpent) return found;
  const more = 'there are many scopes: not all were compared with those of other engagements';
  return new Map(documents.map(({ id }) => [id, [...(found.get(id) ?? []), more]]));
}

/** As many entries of each engagement as of every other one, when there are too many. */
function readSome(documents: readonly EngagementDocument[]): {
  readonly entries: readonly Named[];
  readonly isWhole: boolean;
} {
  const all = documents.reduce((sum, { scope }) => sum + scope.allow.length, 0);
  const most = all <= MAX_READ ? MAX_READ : Math.ceil(MAX_READ / documents.length);
  const entries = documents.flatMap((of) => readEntries(of.scope.allow.slice(0, most)).map((entry) => ({ entry, of })));
  return { entries, isWhole: all <= MAX_READ };
}

/** Whether an engagement denies an entry. To read its list costs as much as to compare it. */
function createDenied(comparer: Comparer): (of: EngagementDocument, entry: ScopeEntry) => boolean {
  const read = new Map<EngagementDocument, readonly ScopeEntry[]>();
  return (of, entry) => {
    const deny = of.scope.deny ?? [];
    const denied = read.get(of) ?? readEntries(deny);
    if (!read.has(of)) comparer.spend(deny.length);
    read.set(of, denied);
    return denied.some((outer) => !comparer.isSpent && comparer.covers(outer, entry));
  };
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

function cut(notices: readonly string[]): readonly string[] {
  const rest = notices.length - MAX_SHOWN;
  return rest <= 0 ? notices : [...notices.slice(0, MAX_SHOWN), `and ${rest} more about the scope`];
}
