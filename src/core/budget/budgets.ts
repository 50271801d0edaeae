import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Engagement } from '../engagement/types.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { NO_TRACE, type RuleTrace } from '../plan/trace.ts';
import { leftOf, requireRoom } from './judge.ts';
import { createKeptRows, type KeptRows, unavailable } from './kept-rows.ts';
import {
  type Amounts,
  amountsOf,
  createLedger,
  type Entry,
  entryOf,
  type Ledger,
  settledAmounts,
  storedOf,
  WINDOW_MS,
} from './ledger.ts';
import { type BudgetTime, createBudgetTime } from './time.ts';
import type { BudgetDemand, BudgetSpent, BudgetStore, DurableBudgets, Reservation } from './types.ts';

/** Time after which only the run time of a settled reservation is kept. */
const KEPT_MS = 24 * WINDOW_MS;
const RETRY_MS = 5000;

export interface BudgetsOptions {
  readonly store: BudgetStore;
  readonly clock: Clock;
  readonly recorder: Pick<Recorder, 'gauge'>;
  readonly log: Log;
  /** Time between two tries to store what could not be stored; default 5000. */
  readonly retryMs?: number;
}

interface Parts {
  readonly time: BudgetTime;
  readonly ledger: Ledger;
  readonly rows: KeptRows;
  /** Tells the metrics of a change. */
  readonly measure: (engagement: Engagement) => void;
}

/**
 * The budgets of all engagements. What is asked for is judged and taken in one turn of the event loop, so that no two
 * calls get the same rest, and is given to the caller only after it was written down.
 */
export function createBudgets(options: BudgetsOptions): DurableBudgets {
  const { store, clock, recorder, log, retryMs = RETRY_MS } = options;
  const time = createBudgetTime(clock);
  const ledger = createLedger(time);
  const rows = createKeptRows({ store, log, retryMs });
  const known = new Map<string, Engagement>();
  const left = (engagement: Engagement) => leftOf(engagement, ledger.book(engagement.id));
  const measure = (engagement: Engagement) => {
    known.set(engagement.id, engagement);
    for (const { budget, limit, left: rest } of left(engagement)) {
      const labels = { engagement: engagement.id, budget };
      recorder.gauge('sallyport_budget_left_ratio', labels, limit === 0 ? 0 : rest / limit);
    }
  };
  let isLoaded = false;
  const require = (engagement: Engagement, asked: Amounts, trace: RuleTrace) => {
    // Fail closed: before that nobody knows what earlier lives took.
    if (!isLoaded) throw unavailable();
    requireRoom(engagement, asked, { book: ledger.book(engagement.id), trace });
  };
  return {
    async load() {
      await loadInto({ store, time, ledger, rows });
      isLoaded = true;
    },
    check: (demand, trace = NO_TRACE) => require(demand.engagement, amountsOf(demand), trace),
    async reserve(demand) {
      const amounts = amountsOf(demand);
      require(demand.engagement, amounts, NO_TRACE);
      return take({ time, ledger, rows, measure }, demand, amounts);
    },
    left,
    async upkeep() {
      await rows.flush();
      for (const engagement of known.values()) measure(engagement);
      await store.fold(Math.floor(time.now() - KEPT_MS));
    },
    close: async () => rows.close(),
  };
}

async function loadInto({ store, time, ledger, rows }: Omit<Parts, 'measure'> & Pick<BudgetsOptions, 'store'>) {
  const { recent, earlier } = await store.load(Math.floor(time.now() - WINDOW_MS));
  // A clock that was set back while the gateway was down: its own stamps are then the latest time that is known.
  for (const { at, settledAt = at } of recent) time.notBefore(Math.max(at, settledAt));
  const now = time.now();
  for (const each of earlier) ledger.addEarlier(each);
  const open: Entry[] = [];
  for (const stored of recent) {
    const entry = entryOf(stored, now);
    ledger.put(entry);
    if (stored.settledAt === undefined) open.push(entry);
  }
  // Otherwise its hour would begin anew with each restart.
  await Promise.all(open.map(async (entry) => rows.settle(storedOf(entry))));
}

async function take(parts: Parts, demand: BudgetDemand, amounts: Amounts): Promise<Reservation> {
  const { time, ledger, rows, measure } = parts;
  const { runId, engagement } = demand;
  const at = time.now();
  const id = `${runId}.${randomBytes(9).toString('base64url')}`;
  const entry: Entry = {
    id,
    engagement: engagement.id,
    at,
    latestEnd: at + amounts.runMs,
    amounts,
    endedAt: undefined,
  };
  ledger.put(entry);
  measure(engagement);
  try {
    await rows.add(storedOf(entry));
  } catch (thrown) {
    ledger.remove(entry);
    measure(engagement);
    throw thrown;
  }
  let settling: Promise<void> | undefined;
  const settle = async (spent: BudgetSpent): Promise<void> => {
    const settled: Entry = { ...entry, endedAt: time.now(), amounts: settledAmounts(amounts, spent) };
    ledger.put(settled);
    measure(engagement);
    await rows.settle(storedOf(settled));
  };
  return {
    settle: (spent) => {
      settling ??= settle(spent);
      return settling;
    },
  };
}
