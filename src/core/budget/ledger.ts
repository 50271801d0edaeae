import { accountLoads, countOf, type Guesses, guessesOf } from './accounts.ts';
import { disjointLoads, readLoads, writeLoads } from './loads.ts';
import type { BudgetTime } from './time.ts';
import type { BudgetDemand, BudgetSpent, StoredReservation, StoredRunTime, TargetLoad } from './types.ts';

/** The window of probes and guesses, milliseconds. */
export const WINDOW_MS = 3_600_000;

/** What a run asks for or has taken, counted. */
export interface Amounts {
  readonly packetsPerSecond: number;
  readonly probes: number;
  readonly runMs: number;
  /** They do not overlap. */
  readonly blocks: readonly TargetLoad[];
  readonly guesses: Guesses;
}

/** One reservation. */
export interface Entry {
  readonly id: string;
  readonly engagement: string;
  readonly at: number;
  /** When it ends at the latest. */
  readonly latestEnd: number;
  readonly amounts: Amounts;
  /** Undefined while it runs. */
  readonly endedAt: number | undefined;
}

/** Run time at a set of targets by runs that have left the window. */
export interface EarlierRuns {
  readonly blocks: readonly TargetLoad[];
  readonly runMs: number;
}

/** What an engagement has taken as of now. */
export interface Book {
  readonly now: number;
  /** What runs, or has ended within the window. */
  readonly entries: readonly Entry[];
  /** All run time before that. */
  readonly earlierRunMs: number;
  readonly earlier: Iterable<EarlierRuns>;
}

/** Everything that all engagements have taken, in memory. */
export interface Ledger {
  /** Puts an entry in, or in the place of the one with the same id. */
  put(entry: Entry): void;
  remove(entry: Entry): void;
  addEarlier(time: StoredRunTime): void;
  book(engagement: string): Book;
}

/** Counts a demand. */
export function amountsOf(demand: BudgetDemand): Amounts {
  const packetsPerSecond = countOf(demand.packetsPerSecond);
  const targets = demand.targets.map((load) => ({
    ...load,
    probes: countOf(load.probes),
    packetsPerSecond: countOf(load.packetsPerSecond),
  }));
  return {
    packetsPerSecond,
    probes: countOf(demand.probes),
    runMs: countOf(demand.runMs),
    blocks: disjointLoads(targets, packetsPerSecond),
    guesses: guessesOf(demand.accounts),
  };
}

/** What is counted after a run has ended. More than was reserved is counted as it was. */
export function settledAmounts(reserved: Amounts, spent: BudgetSpent): Amounts {
  const probes = spent.probes === undefined ? reserved.probes : countOf(spent.probes);
  const blocks = spent.probes === undefined ? reserved.blocks : settledBlocks(reserved, probes);
  const guesses = spent.accounts === undefined ? reserved.guesses : guessesOf(spent.accounts);
  return { ...reserved, probes, blocks, guesses, runMs: countOf(spent.runMs) };
}

/**
 * Nobody says to whom less went: a network of which ten hosts answer gets nearly all of it at those ten. Each address
 * therefore keeps what was reserved for it, as far as that much was sent at all.
 */
function settledBlocks(reserved: Amounts, spent: number): readonly TargetLoad[] {
  const isMore = spent > reserved.probes;
  return reserved.blocks.map((block) => {
    const share = isMore ? Math.ceil((block.probes / reserved.probes) * spent) : block.probes;
    return { ...block, probes: Math.min(spent, Number.isNaN(share) ? spent : share) };
  });
}

/** What is stored of an entry. */
export function storedOf({ id, engagement, at, endedAt, amounts }: Entry): StoredReservation {
  return {
    id,
    engagement,
    at: Math.floor(at),
    // Up, never down: a part of a millisecond must not free anything early.
    ...(endedAt === undefined ? {} : { settledAt: Math.ceil(endedAt) }),
    probes: amounts.probes,
    runMs: amounts.runMs,
    targets: writeLoads(amounts.blocks),
    accounts: accountLoads(amounts.guesses),
  };
}

/** An entry of an earlier life: it runs no more. One that was not settled has ended at the latest now. */
export function entryOf(stored: StoredReservation, now: number): Entry {
  const { id, engagement, at, settledAt: endedAt = now, probes, runMs, targets, accounts } = stored;
  const blocks = readLoads(targets);
  const amounts = { packetsPerSecond: 0, probes, runMs, blocks, guesses: guessesOf(accounts) };
  return { id, engagement, at, latestEnd: endedAt, endedAt, amounts };
}

interface Page {
  readonly entries: Map<string, Entry>;
  readonly earlier: Map<string, EarlierRuns>;
  earlierRunMs: number;
}

/** Makes an empty ledger. */
export function createLedger(time: Pick<BudgetTime, 'now'>): Ledger {
  const pages = new Map<string, Page>();
  const pageOf = (engagement: string): Page => {
    const page = pages.get(engagement) ?? { entries: new Map(), earlier: new Map(), earlierRunMs: 0 };
    pages.set(engagement, page);
    return page;
  };
  return {
    put: (entry) => void pageOf(entry.engagement).entries.set(entry.id, entry),
    remove: ({ engagement, id }) => void pageOf(engagement).entries.delete(id),
    addEarlier: ({ engagement, targets, runMs }) => addEarlier(pageOf(engagement), readLoads(targets), runMs),
    book: (engagement) => {
      const now = time.now();
      const page = pageOf(engagement);
      for (const entry of page.entries.values()) {
        if (entry.endedAt === undefined || now - entry.endedAt < WINDOW_MS) continue;
        page.entries.delete(entry.id);
        addEarlier(page, entry.amounts.blocks, entry.amounts.runMs);
      }
      const { earlierRunMs, earlier } = page;
      return { now, entries: [...page.entries.values()], earlierRunMs, earlier: earlier.values() };
    },
  };
}

function addEarlier(page: Page, blocks: readonly TargetLoad[], runMs: number): void {
  if (runMs === 0) return;
  page.earlierRunMs += runMs;
  const key = blocks.map(({ family, first, last }) => `${family} ${first} ${last}`).join();
  page.earlier.set(key, { blocks, runMs: runMs + (page.earlier.get(key)?.runMs ?? 0) });
}
