import { highestRisk } from '../../../schemas/risk.ts';
import type { Clock } from '../clock.ts';
import { NO_TRACE, type RuleTrace } from '../plan/trace.ts';
import { isSelected } from '../tool/patterns.ts';
import type { Book } from './book.ts';
import { chooseAmong, notOpen } from './choose.ts';
import type { TwoClocks } from './two-clocks.ts';
import type { Engagement, Engagements, EngagementState } from './types.ts';

/** What the questions of plans and runs are answered from. */
export interface InForceParts {
  readonly book: Book;
  readonly clocks: TwoClocks;
  readonly clock: Clock;
  readonly faults: () => readonly string[];
}

/** The engagements in force, as plans and runs ask them. */
export function createInForce({ book, clocks, clock, faults }: InForceParts): Engagements {
  const state = (engagement: Engagement): EngagementState => stateOf({ book, clocks }, engagement);
  return {
    choose: (who, named, trace = NO_TRACE) => {
      const mine = book.of(who).map((held) => held.engagement);
      return chooseAmong(mine, named, trace);
    },
    of: (who) => book.of(who).map((held) => held.engagement),
    get: (id) => book.get(id)?.engagement,
    all: () => book.all().map((held) => held.engagement),
    state,
    requireOpen: (engagement, trace = NO_TRACE) => {
      const found = state(engagement);
      passRules(engagement, found, trace);
      if (found.state !== 'open') throw notOpen(engagement.id, found, clock.now());
    },
    allowsTool: ({ document: { tools } }, tool) =>
      isSelected(tool, { include: tools.allow, exclude: tools.deny ?? [] }),
    generation: () => book.generation(),
    onChange: (listener) => book.onChange(listener),
    highestRisk: () => highestRisk(book.all().map((held) => held.engagement.document.risk)),
    faults,
  };
}

/**
 * How an engagement stands by the version that is in force now, whichever version a plan or a run was made under: a
 * shortened window and a removal hold for what runs already.
 */
export function stateOf(
  { book, clocks }: Pick<InForceParts, 'book' | 'clocks'>,
  { id }: { id: string },
): EngagementState {
  const revocation = book.revocation(id);
  if (revocation !== undefined) {
    // Not why: the reason is for operators and may name other customers, and this is read by a language model.
    const why = `It was revoked at ${new Date(revocation.at).toISOString()}.`;
    return { state: 'revoked', rule: 'engagement.revoked', why };
  }
  const held = book.get(id);
  if (held === undefined) return { state: 'revoked', rule: 'engagement.revoked', why: 'The operator removed it.' };
  return clocks.state(held.engagement.window);
}

/** The rules of time in the order in which they are asked, up to the one that refuses; what the engagement lacks passes as none. */
function passRules({ document: { window = {} } }: Engagement, found: EngagementState, trace: RuleTrace): void {
  const { from, until, weekly = [], blackout = [] } = window;
  const rules: readonly (readonly [rule: string, datum: string])[] = [
    ['engagement.revoked', 'not revoked'],
    ['engagement.until', until === undefined ? NONE : `until ${until}`],
    ['engagement.from', from === undefined ? NONE : `from ${from}`],
    ['engagement.blackout', blackout.length === 0 ? NONE : `in none of ${blackout.length}`],
    ['engagement.weekly', weekly.length === 0 ? NONE : weekly.slice(0, 4).join('; ')],
  ];
  for (const [rule, datum] of rules) {
    if (rule === found.rule) return;
    trace.pass(rule, { datum });
  }
}

const NONE = 'none';
