import type { EngagementDocument } from '../../../schemas/engagement.ts';
import type { Amounts, Book } from './ledger.ts';
import { accountPlaces, addressPlaces, type Measure, type Place, wholePlace } from './places.ts';

type Limits = NonNullable<EngagementDocument['budgets']>;
type Counted = keyof NonNullable<Limits['perTarget']>;

/** One limit that an engagement may have. */
export interface BudgetRule {
  /** As the operator writes it: `probesPerHour`, `perTarget.probesPerHour`. */
  readonly budget: string;
  /** `budget.probes-per-hour`. */
  readonly rule: string;
  readonly counts: Counted | 'guesses';
  /** Undefined when there is none. */
  readonly limit: (limits: Limits) => number | undefined;
  /** Where it holds; only where something is asked for, or everywhere when nothing is. */
  readonly places: (book: Book, asked: Amounts | undefined) => Iterable<Place>;
}

const MEASURES: Readonly<Record<Counted, Measure>> = {
  packetsPerSecond: {
    whole: ({ packetsPerSecond }) => packetsPerSecond,
    at: ({ packetsPerSecond }) => packetsPerSecond,
    stays: 'running',
  },
  concurrentRuns: { whole: () => 1, at: () => 1, stays: 'running' },
  probesPerHour: { whole: ({ probes }) => probes, at: ({ probes }) => probes, stays: 'window' },
  runMinutes: { whole: ({ runMs }) => runMs, at: (_, { runMs }) => runMs, stays: 'forever' },
};

/** Amounts of run time are milliseconds, their limit is minutes. */
export const MINUTE_MS = 60_000;

/** Every limit, in the order in which they are asked. */
export const BUDGET_RULES: readonly BudgetRule[] = [
  ...Object.entries(MEASURES).map(([name, measure]) => {
    const counts = name as Counted;
    return ruleOf({
      budget: counts,
      counts,
      limit: (limits) => limits[counts],
      places: (book, asked) => [wholePlace(book, measure, asked)],
    });
  }),
  ruleOf({
    budget: 'guessesPerAccountPerHour',
    counts: 'guesses',
    limit: (limits) => limits.guessesPerAccountPerHour,
    places: (book, asked) => accountPlaces(book, asked?.guesses),
  }),
  ...Object.entries(MEASURES).map(([name, measure]) => {
    const counts = name as Counted;
    return ruleOf({
      budget: `perTarget.${counts}`,
      counts,
      limit: (limits) => limits.perTarget?.[counts],
      places: (book, asked) => addressPlaces(book, measure, asked),
    });
  }),
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
