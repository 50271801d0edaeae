import type { BudgetLeft } from '../../../schemas/scope-view.ts';
import type { Engagement } from '../engagement/types.ts';
import type { SallyportError } from '../errors.ts';
import type { RuleTrace } from '../plan/trace.ts';
import type { Amounts } from './amounts.ts';
import type { Book } from './ledger.ts';
import { NONE, sumsOf } from './pile.ts';
import { mostAtAccount, mostAtAddress, type Place, roomAt } from './places.ts';
import { exhausted } from './refusal.ts';
import { BUDGET_RULES, type BudgetRule, MINUTE_MS } from './rules.ts';

/** Throws ERR_BUDGET_EXHAUSTED for the first limit that has no room for what is asked. */
export function requireRoom(engagement: Engagement, asked: Amounts, { book, trace }: { book: Book; trace: RuleTrace }) {
  for (const { rule, limit } of limitsOf(engagement)) {
    const { worst, freeAt } = judge(rule.places(book, asked), limit);
    if (freeAt > Number.NEGATIVE_INFINITY) {
      throw refusal({ engagement, rule, limit }, worst, freeAt - book.now);
    }
    const figures = figuresOf(rule, limit, worst);
    trace.pass(rule.rule, { datum: `${figures.used} used and ${figures.asked} asked of ${figures.limit}` });
  }
}

interface Limit {
  readonly rule: BudgetRule;
  readonly limit: number;
}

function limitsOf({ document: { budgets = {} } }: Engagement): readonly Limit[] {
  return BUDGET_RULES.flatMap((rule) => {
    const limit = rule.limit(budgets);
    return limit === undefined ? [] : [{ rule, limit }];
  });
}

interface Judged {
  /** Where least is left. */
  readonly worst: Place;
  readonly freeAt: number;
}

const NOWHERE: Place = { asked: 0, taken: 0, takes: () => [] };

function judge(places: Iterable<Place>, limit: number): Judged {
  let judged: Judged = { worst: NOWHERE, freeAt: Number.NEGATIVE_INFINITY };
  let most = -1;
  for (const place of places) {
    const total = place.taken + place.asked;
    const freeAt = Math.max(judged.freeAt, roomAt(place, limit, judged.freeAt));
    judged = { worst: total > most ? place : judged.worst, freeAt };
    most = Math.max(most, total);
  }
  return judged;
}

type Refused = Limit & { readonly engagement: Engagement };

function refusal({ engagement, rule, limit }: Refused, place: Place, waitMs: number): SallyportError {
  return exhausted({ engagement: engagement.id, rule, place, waitMs, ...figuresOf(rule, limit, place) });
}

/** The figures of a place in the units of the operator; nothing is shown smaller than it is used or greater than it is left. */
function figuresOf({ counts }: BudgetRule, limit: number, { taken, asked }: Pick<Place, 'taken' | 'asked'>) {
  const unit = counts === 'runMinutes' ? MINUTE_MS : 1;
  return {
    limit: limit / unit,
    used: roundedUp(taken / unit),
    asked: roundedUp(asked / unit),
    left: Math.floor((Math.max(0, limit - taken) / unit) * 100) / 100,
  };
}

/** What is left of each limit of an engagement, at the address or account where it is least. */
export function leftOf(engagement: Engagement, book: Book): readonly BudgetLeft[] {
  const limits = limitsOf(engagement);
  // Nobody goes through all addresses where none is limited.
  const atAddress = limits.some(({ rule }) => rule.each === 'address') ? mostAtAddress(book) : NONE;
  const takenOf = ({ each, counts }: BudgetRule): number => {
    if (counts === 'guesses') return mostAtAccount(book);
    return (each === 'address' ? atAddress : sumsOf(book.whole))[counts];
  };
  return limits.map(({ rule, limit }) => {
    const figures = figuresOf(rule, limit, { taken: takenOf(rule), asked: 0 });
    // A number in JSON: an amount that nobody knows is shown as the greatest.
    const used = Math.min(figures.used, Number.MAX_SAFE_INTEGER);
    return { budget: rule.budget, limit: figures.limit, used, left: figures.left };
  });
}

function roundedUp(amount: number): number {
  return Math.ceil(amount * 100) / 100;
}
