import { randomBytes } from 'node:crypto';
import type { BudgetLeft } from '../../../schemas/scope-view.ts';
import type { Clock } from '../clock.ts';
import type { Engagement } from '../engagement/types.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { NO_TRACE, type RuleTrace } from '../plan/trace.ts';
import { type Amounts, amountsOf, settledAmounts } from './amounts.ts';
import { type Entry, entryOf, storedOf, WINDOW_MS } from './entry.ts';
import { type BudgetGauges, createBudgetGauges } from './gauges.ts';
import { leftOf, requireRoom } from './judge.ts';
import { createKeptRows, type KeptRows, unavailable } from './kept-rows.ts';
import { type Book, createLedger, type Ledger } from './ledger.ts';
import { type BudgetTime, createBudgetTime } from './time.ts';
import type { BudgetDemand, BudgetSpent, BudgetStore, DurableBudgets, Reservation } from './types.ts';

/** Time after which only the run time of a settled reservation is kept. */
const KEPT_MS = 24 * WINDOW_MS;
const RETRY_MS = 5000;
const MEASURE_MS = 1000;

export interface BudgetsOptions {
  readonly store: BudgetStore;
  /** Those in force when the budgets are loaded: where run time is limited at each address, it is loaded for each. */
  readonly engagements: () => readonly Pick<Engagement, 'id' | 'document'>[];
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
  readonly gauges: Pick<BudgetGauges, 'changed'>;
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
  const bookOf = (engagement: Engagement): Book => {
    if (limitsRunTimeAtTargets(engagement)) ledger.keepTargets(engagement.id);
    return ledger.book(engagement.id);
  };
  const left = keepLeft(bookOf);
  const gauges = createBudgetGauges({ recorder, left, intervalMs: MEASURE_MS });
  let isLoaded = false;
  const require = (engagement: Engagement, asked: Amounts, trace: RuleTrace) => {
    // Fail closed: before that nobody knows what earlier lives took.
    if (!isLoaded) throw unavailable();
    requireRoom(engagement, asked, { book: bookOf(engagement), trace });
  };
  return {
    async load() {
      const engagements = options.engagements();
      await loadInto({ store, time, ledger, rows }, engagements.filter(limitsRunTimeAtTargets));
      // Now, and not while somebody waits for an answer.
      for (const { id, document } of engagements) if (document.budgets?.perTarget) ledger.book(id).cells();
      isLoaded = true;
    },
    check: (demand, trace = NO_TRACE) => require(demand.engagement, amountsOf(demand), trace),
    async reserve(demand) {
      const amounts = amountsOf(demand);
      require(demand.engagement, amounts, NO_TRACE);
      return take({ time, ledger, rows, gauges }, demand, amounts);
    },
    left,
    async upkeep() {
      await rows.flush();
      gauges.measure();
      await store.fold(Math.floor(time.now() - KEPT_MS));
    },
    async close() {
      gauges.close();
      await rows.close();
    },
  };
}

function limitsRunTimeAtTargets({ document }: Pick<Engagement, 'document'>): boolean {
  return document.budgets?.perTarget?.runMinutes !== undefined;
}

/** What is left, looked for once after each change: everybody may ask for it as often as they like. */
function keepLeft(bookOf: (engagement: Engagement) => Book): DurableBudgets['left'] {
  const kept = new Map<string, { document: Engagement['document']; change: number; left: readonly BudgetLeft[] }>();
  return (engagement) => {
    const { id, document } = engagement;
    const book = bookOf(engagement);
    const known = kept.get(id);
    if (known?.document === document && known.change === book.change) return known.left;
    const left = leftOf(engagement, book);
    kept.set(id, { document, change: book.change, left });
    return left;
  };
}

async function loadInto(
  { store, time, ledger, rows }: Omit<Parts, 'gauges'> & Pick<BudgetsOptions, 'store'>,
  limited: readonly Pick<Engagement, 'id'>[],
): Promise<void> {
  const ids = limited.map(({ id }) => id);
  const { recent, earlier } = await store.load(Math.floor(time.now() - WINDOW_MS), ids);
  // A clock that was set back while the gateway was down: its own stamps are then the latest time that is known.
  for (const { at, settledAt = at } of recent) time.notBefore(Math.max(at, settledAt));
  const now = time.now();
  for (const id of ids) ledger.keepTargets(id);
  for (const each of earlier) ledger.addEarlier(each);
  const open: Entry[] = [];
  // What was not settled ends now, after everything else.
  for (const stored of recent.toSorted((a, b) => (a.settledAt ?? now) - (b.settledAt ?? now))) {
    const entry = entryOf(stored, now);
    ledger.put(entry);
    if (stored.settledAt === undefined) open.push(entry);
  }
  // Otherwise its hour would begin anew with each restart.
  await Promise.all(open.map(async (entry) => rows.settle(storedOf(entry))));
}

async function take(parts: Parts, demand: BudgetDemand, amounts: Amounts): Promise<Reservation> {
  const { time, ledger, rows, gauges } = parts;
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
  gauges.changed(engagement);
  try {
    await rows.add(storedOf(entry));
  } catch (thrown) {
    ledger.remove(entry);
    gauges.changed(engagement);
    throw thrown;
  }
  let settling: Promise<void> | undefined;
  const settle = async (spent: BudgetSpent): Promise<void> => {
    const settled: Entry = { ...entry, endedAt: time.now(), amounts: settledAmounts(amounts, spent) };
    ledger.put(settled);
    gauges.changed(engagement);
    await rows.settle(storedOf(settled));
  };
  return {
    settle: (spent) => {
      settling ??= settle(spent);
      return settling;
    },
  };
}
