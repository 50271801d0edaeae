import type { CompiledEngagement } from './compile.ts';
import { EVERYBODY } from './principals.ts';
import type { Asker, EngagementSource, Revocation } from './types.ts';

/** The reserved id of the configuration's engagement. */
export const DEFAULT_ID = 'default';

/** One engagement in force, and where it was read or who put it. */
export interface Held {
  readonly engagement: CompiledEngagement;
  readonly by: string;
}

/** A stored document that this version cannot use. Whom it names gets nothing instead of `default`. */
export interface Unusable {
  readonly principals: readonly string[];
  readonly fault: string;
}

/** Everything that is in force at this moment. Changes are made in one step: nobody sees half of one. */
export interface Book {
  get(id: string): Held | undefined;
  /** By id. */
  all(): readonly Held[];
  /** Those that name somebody, by id; `default` when none does. */
  of(who: Asker): readonly Held[];
  revocation(id: string): Revocation | undefined;
  revocations(): ReadonlyMap<string, Revocation>;
  unusable(): ReadonlyMap<string, Unusable>;
  /** Replaces everything that is given, at once. */
  change(next: BookChange): void;
  /** Grows with every change. */
  generation(): number;
  onChange(listener: () => void): () => void;
}

/** What changes; what is absent stays. */
export interface BookChange {
  /** All engagements of these sources; those of others stay. */
  readonly sources?: Partial<Record<EngagementSource, readonly Held[]>>;
  readonly put?: Held;
  /** Also drops an unusable document of this id. */
  readonly remove?: string;
  readonly revocations?: ReadonlyMap<string, Revocation>;
  readonly unusable?: ReadonlyMap<string, Unusable>;
}

interface Page {
  readonly held: ReadonlyMap<string, Held>;
  readonly sorted: readonly Held[];
  /** By entry of `principals`; `default` is not in it. */
  readonly named: ReadonlyMap<string, readonly Held[]>;
  readonly revocations: ReadonlyMap<string, Revocation>;
  readonly unusable: ReadonlyMap<string, Unusable>;
  /** Entries of unusable documents. */
  readonly barred: ReadonlySet<string>;
}

/** An empty book. */
export function createBook(): Book {
  let page = pageOf([], new Map(), new Map());
  let generation = 1;
  const listeners = new Set<() => void>();
  return {
    get: (id) => page.held.get(id),
    all: () => page.sorted,
    of: (who) => heldOf(page, who),
    revocation: (id) => page.revocations.get(id),
    revocations: () => page.revocations,
    unusable: () => page.unusable,
    change: (next) => {
      page = turn(page, next);
      generation += 1;
      for (const listener of listeners) listener();
    },
    generation: () => generation,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Whoever is named by any other engagement never falls back to `default`, whatever the state of that one: an agent whose
 * engagement expired or was revoked would otherwise go on under the permission of everybody.
 */
function heldOf({ named, held, barred }: Page, who: Asker): readonly Held[] {
  const entries = [EVERYBODY, who.id, who.name];
  const found = new Map(
    entries.flatMap((entry) => (named.get(entry) ?? []).map((each) => [each.engagement.id, each] as const)),
  );
  if (found.size > 0) return [...found.values()].toSorted(byId);
  const fallback = held.get(DEFAULT_ID);
  return fallback === undefined || entries.some((entry) => barred.has(entry)) ? [] : [fallback];
}

function turn(page: Page, { sources = {}, put, remove, revocations, unusable }: BookChange): Page {
  const dropped = new Set([remove, put?.engagement.id]);
  const kept = page.sorted.filter(
    ({ engagement: { id, source } }) => !dropped.has(id) && sources[source] === undefined,
  );
  const left = unusable ?? new Map([...page.unusable].filter(([id]) => !dropped.has(id)));
  const added = [...Object.values(sources).flat(), ...(put === undefined ? [] : [put])];
  return pageOf([...kept, ...added], revocations ?? page.revocations, left);
}

function pageOf(all: readonly Held[], revocations: Page['revocations'], unusable: Page['unusable']): Page {
  const sorted = all.toSorted(byId);
  const named = new Map<string, Held[]>();
  for (const each of sorted) {
    if (each.engagement.id === DEFAULT_ID) continue;
    for (const entry of new Set(each.engagement.document.principals)) {
      const others = named.get(entry);
      if (others === undefined) named.set(entry, [each]);
      else others.push(each);
    }
  }
  const held = new Map(sorted.map((each) => [each.engagement.id, each]));
  const barred = new Set([...unusable.values()].flatMap(({ principals }) => principals));
  return { held, sorted, named, revocations, unusable, barred };
}

function byId(a: Held, b: Held): number {
  return a.engagement.id < b.engagement.id ? -1 : Number(a.engagement.id > b.engagement.id);
}
