import { countOf, type Guesses, guessesOf } from './accounts.ts';
import { disjointLoads } from './loads.ts';
import type { BudgetDemand, BudgetSpent, TargetLoad } from './types.ts';

/** What a run asks for or has taken, counted. */
export interface Amounts {
  readonly packetsPerSecond: number;
  readonly probes: number;
  /** Whole milliseconds: sums of them are exact, whatever is taken out of them again. */
  readonly runMs: number;
  /** They do not overlap, and are in order of address. */
  readonly blocks: readonly TargetLoad[];
  readonly guesses: Guesses;
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
    runMs: wholeMs(demand.runMs),
    blocks: disjointLoads(targets, packetsPerSecond),
    guesses: guessesOf(demand.accounts),
  };
}

/** What is counted after a run has ended. More than was reserved is counted as it was. */
export function settledAmounts(reserved: Amounts, spent: BudgetSpent): Amounts {
  const probes = spent.probes === undefined ? reserved.probes : countOf(spent.probes);
  const blocks = spent.probes === undefined ? reserved.blocks : settledBlocks(reserved, probes);
  const guesses = spent.accounts === undefined ? reserved.guesses : guessesOf(spent.accounts);
  return { ...reserved, probes, blocks, guesses, runMs: wholeMs(spent.runMs) };
}

/** A run time as it is counted: up, never down. */
export function wholeMs(runMs: number): number {
  return Math.ceil(countOf(runMs));
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
