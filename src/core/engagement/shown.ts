import type { EngagementView } from '../../../schemas/engagement.ts';
import type { Book, Held } from './book.ts';
import type { CompiledEngagement } from './compile.ts';
import { stateOf } from './in-force.ts';
import { noticesOf } from './notices.ts';
import { sharedNotices } from './shared-notices.ts';
import type { TwoClocks } from './two-clocks.ts';

/** What views are made from. */
export interface ShownParts {
  readonly book: Book;
  readonly clocks: TwoClocks;
  readonly isKilled: (engagement: string) => boolean;
  /** Names of the loaded tools. */
  readonly tools: () => readonly string[];
}

/** Makes the view of an engagement for those who hold `engagements:read`. */
export function createViews(parts: ShownParts): (held: Held) => EngagementView {
  const { book, clocks, isKilled, tools } = parts;
  const own = new WeakMap<CompiledEngagement, readonly string[]>();
  let shared: { readonly generation: number; readonly notices: ReadonlyMap<string, readonly string[]> } | undefined;
  const noticesFor = (engagement: CompiledEngagement): readonly string[] => {
    const known = own.get(engagement) ?? noticesOf(engagement.document, contextOf(engagement, tools()));
    own.set(engagement, known);
    if (shared?.generation !== book.generation()) {
      shared = { generation: book.generation(), notices: sharedNotices(documentsOf(book.all())) };
    }
    return [...known, ...(shared.notices.get(engagement.id) ?? [])];
  };
  return ({ engagement }) => {
    const { id, version, source, document } = engagement;
    const { state, why, opensAt, closesAt } = stateOf({ book, clocks }, engagement);
    const revocation = book.revocation(id);
    const killed = isKilled(id);
    return {
      id,
      version,
      source,
      state: killed ? 'killed' : state,
      ...(killed ? { why: 'The kill switch is on.' } : why !== undefined && { why }),
      ...(opensAt !== undefined && { opensAt: iso(opensAt) }),
      ...(closesAt !== undefined && { closesAt: iso(closesAt) }),
      revoked: revocation === undefined ? null : { ...revocation, at: iso(revocation.at) },
      notices: [...noticesFor(engagement)],
      document,
    };
  };
}

/** `default` is only for those whom no other engagement names, so it overlaps with none. */
function documentsOf(all: readonly Held[]) {
  return all.flatMap(({ engagement: { source, document } }) => (source === 'configuration' ? [] : [document]));
}

function contextOf({ source }: CompiledEngagement, tools: readonly string[]) {
  return { tools, mayBeEndless: source === 'configuration' };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
