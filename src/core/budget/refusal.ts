import { SallyportError } from '../errors.ts';
import { quote } from '../targets/rules.ts';
import { formatAddress, widthOf } from '../targets/address.ts';
import type { Place } from './places.ts';
import type { BudgetRule } from './rules.ts';

/** A budget that has no room, in the units of the operator. */
export interface Exhausted {
  readonly engagement: string;
  readonly rule: BudgetRule;
  readonly place: Place;
  readonly limit: number;
  readonly used: number;
  readonly asked: number;
  readonly left: number;
  /** Infinity: waiting does not help. */
  readonly waitMs: number;
}

const SHORTEST_WAIT_MS = 1000;

const LIMITED: Readonly<Record<BudgetRule['counts'], string>> = {
  packetsPerSecond: 'packets per second over its running runs',
  concurrentRuns: 'runs at once',
  probesPerHour: 'probes within any 60 minutes',
  runMinutes: 'minutes of runs in all',
  guesses: 'guesses within any 60 minutes',
};

/** ERR_BUDGET_EXHAUSTED that says what would fit, and when. */
export function exhausted(what: Exhausted): SallyportError {
  const { engagement, rule, limit, used, asked, left, waitMs } = what;
  const retryAfterMs = Number.isFinite(waitMs) ? Math.ceil(Math.max(SHORTEST_WAIT_MS, waitMs)) : undefined;
  const { address, account } = what.place;
  const target =
    address && formatAddress({ family: address.family, bits: address.first, prefix: widthOf(address.family) });
  const where = target === undefined ? (account === undefined ? '' : ` at ${quote(account)}`) : ` at ${target}`;
  const message =
    `Engagement ${engagement} permits ${limit} ${LIMITED[rule.counts]}${where}; ${shown(used)} are taken ` +
    `and this run asks for ${shown(asked)}. ${adviceOn(what)}${waitOf(rule, retryAfterMs)}`;
  return new SallyportError('ERR_BUDGET_EXHAUSTED', message, {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    details: {
      rule: rule.rule,
      budget: rule.budget,
      engagement,
      limit,
      used: counted(used),
      asked: counted(asked),
      left,
      ...(target === undefined ? {} : { target }),
      ...(account === undefined ? {} : { account: quote(account).slice(1, -1) }),
    },
  });
}

function adviceOn({ rule, limit, asked, left }: Exhausted): string {
  if (limit === 0) return 'The operator permits none.';
  const { counts } = rule;
  if (counts === 'concurrentRuns') return 'Cancel one, or wait until one has ended.';
  if (asked === Number.POSITIVE_INFINITY) {
    return counts === 'packetsPerSecond'
      ? `Nothing bounds the rate of this run: give it one of at most ${left}.`
      : `Nothing bounds what this run takes: narrow it to at most ${left}.`;
  }
  if (left === 0) return 'Nothing is left now.';
  if (counts === 'packetsPerSecond') return `A rate of at most ${left} fits now.`;
  if (counts === 'runMinutes') return `Set run.timeoutMs to at most ${Math.floor(left * 60_000)}.`;
  if (counts === 'guesses') return `At most ${left} fit now: give it fewer passwords.`;
  const narrower = rule.budget === counts ? 'fewer ports or addresses' : 'fewer ports, or leave this target out';
  return `At most ${left} fit now: take ${narrower}.`;
}

function waitOf({ counts }: BudgetRule, retryAfterMs: number | undefined): string {
  if (retryAfterMs === undefined) return ' Waiting does not help.';
  const seconds = Math.ceil(retryAfterMs / 1000);
  const wait = seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;
  // What a run has used of its minutes is never free again; only what it gives back when it ends early.
  if (counts === 'runMinutes') return ` What the running runs leave is known in ${wait} at the latest.`;
  return ` There is room in ${wait} at the latest.`;
}

function shown(amount: number): string {
  return Number.isFinite(amount) ? `${amount}` : 'an unknown number';
}

/** JSON has no infinity. */
function counted(amount: number): number | 'unknown' {
  return Number.isFinite(amount) ? amount : 'unknown';
}
