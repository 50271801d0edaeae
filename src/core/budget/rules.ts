import type { EngagementDocument } from '../../../schemas/engagement.ts';
import type { Amounts } from './amounts.ts';
import type { Book } from './ledger.ts';
import type { Counted } from './pile.ts';
import { accountPlaces, addressPlaces, type Place, wholePlace } from './places.ts';

type Limits = NonNullable<EngagementDocument['budgets']>;

/** One limit that an engagement may have. */
export interface BudgetRule {
  /** As the operator writes it: `probesPerHour`, `perTarget.probesPerHour`. */
  readonly budget: string;
  /** `budget.probes-per-hour`. */
  readonly rule: string;
  readonly counts: Counted | 'guesses';
  /** What it is held against. */
  readonly each: 'engagement' | 'account' | 'address';
  /** Undefined when there is none. */
  readonly limit: (limits: Limits) => number | undefined;
  /** Where it holds of what is asked for. */
  readonly places: (book: Book, asked: Amounts) => Iterable<Place>;
}

const COUNTED: readonly Counted[] = ['packetsPerSecond', 'concurrentRuns', 'probesPerHour', 'runMinutes'];

/** Amounts of run time are milliseconds, their limit is minutes. */
export const MINUTE_MS = 60_000;

/** Every limit, in the order in which they are asked. */
export const BUDGET_RULES: readonly BudgetRule[] = [
  ...COUNTED.map((counted) =>
    ruleOf({
      budget: counted,
      counts: counted,
      each: 'engagement',
      limit: (limits) => limits[counted],
      places: (book, asked) => [wholePlace(book, counted, asked)],
    }),
  ),
  ruleOf({
    budget: 'guessesPerAccountPerHour',
    counts: 'guesses',
    each: 'account',
    limit: (limits) => limits.guessesPerAccountPerHour,
    places: (book, asked) => accountPlaces(book, asked.guesses),
  }),
  ...COUNTED.map((counted) =>
    ruleOf({
      budget: `perTarget.${counted}`,
      counts: counted,
      each: 'address',
      limit: (limits) => limits.perTarget?.[counted],
      places: (book, asked) => addressPlaces(book, counted, asked),
    }),
  ),
];

function ruleOf(rule: Omit<BudgetRule, 'rule'>): BudgetRule {
  const minutes = rule.counts === 'runMinutes';
  return {
    ...rule,
    rule: `budget.${rule.budget.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    limit: (limits) => {
      const limit = rule.limit(limits);
      return limit === undefined || !minutes ? limit : limit * MINUTE_MS;
    },
  };
}
