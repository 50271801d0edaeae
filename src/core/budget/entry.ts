import { accountLoads, guessesOf } from './accounts.ts';
import { type Amounts, wholeMs } from './amounts.ts';
import { readLoads, writeLoads } from './loads.ts';
import type { StoredReservation } from './types.ts';

/** The window of probes and guesses, milliseconds. */
export const WINDOW_MS = 3_600_000;

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

/** How long something stays taken: while its run runs, until an hour after its end, or for ever. */
export type Stay = 'running' | 'window' | 'forever';

/** When an entry gives back what it takes, at the latest; Infinity: never. */
export function freeAt({ endedAt, latestEnd }: Entry, stay: Stay): number {
  if (stay === 'window') return (endedAt ?? latestEnd) + WINDOW_MS;
  return endedAt === undefined ? latestEnd : Infinity;
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
  const amounts = { packetsPerSecond: 0, probes, runMs: wholeMs(runMs), blocks, guesses: guessesOf(accounts) };
  return { id, engagement, at, latestEnd: endedAt, endedAt, amounts };
}
