import { covers, type ScopeEntry, sortKey } from './scope-entries.ts';

/** Compares entries of scopes, and not more often than it may. */
export interface Comparer {
  covers(outer: ScopeEntry, inner: ScopeEntry): boolean;
  /** Counts something else that costs as much. */
  spend(times: number): void;
  /** Nothing more is to be compared. */
  readonly isSpent: boolean;
  readonly compared: number;
}

/** Makes a comparer that is spent after so many comparisons. */
export function createComparer(most: number): Comparer {
  let compared = 0;
  return {
    covers: (outer, inner) => {
      compared += 1;
      return covers(outer, inner);
    },
    spend: (times) => {
      compared += times;
    },
    get isSpent() {
      return compared >= most;
    },
    get compared() {
      return compared;
    },
  };
}

/** An entry and one that it covers. */
export interface Nesting<T> {
  readonly outer: T;
  readonly inner: T;
}

/**
 * Every entry with each that covers it, until the comparer is spent. In sorted order those are a chain, so that most
 * pairs are never looked at.
 */
export function* nestings<T extends { readonly entry: ScopeEntry }>(
  entries: readonly T[],
  comparer: Comparer,
): Generator<Nesting<T>> {
  const keyed = entries.map((item) => ({ item, key: sortKey(item.entry) }));
  const chain: T[] = [];
  for (const { item } of keyed.toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))) {
    while (chain.length > 0 && !isAround(chain.at(-1), item, comparer)) chain.pop();
    for (const outer of chain) {
      if (comparer.isSpent) return;
      if (comparer.covers(outer.entry, item.entry)) yield { outer, inner: item };
    }
    chain.push(item);
  }
}

/** Whether entries after this one may still lie within it: the exact name stands before what is below it. */
function isAround(
  outer: { readonly entry: ScopeEntry } | undefined,
  { entry: inner }: { readonly entry: ScopeEntry },
  comparer: Comparer,
): boolean {
  if (outer === undefined) return false;
  const { entry } = outer;
  if (comparer.covers(entry, inner)) return true;
  return entry.is === 'name' && inner.is === 'name' && `.${inner.name}`.endsWith(`.${entry.name}`);
}
