import type { BudgetLeft } from '../../../schemas/scope-view.ts';
import type { Engagement } from '../engagement/types.ts';
import type { RuleTrace } from '../plan/trace.ts';

/** A block of addresses and what one address of it takes. */
export interface TargetLoad {
  readonly family: 4 | 6;
  /** First and last address as integers. */
  readonly first: bigint;
  readonly last: bigint;
  /** Of each single address. */
  readonly probes: number;
  readonly packetsPerSecond: number;
}

/** Guesses at one account of one target. */
export interface AccountLoad {
  /** `service://address:port/account`, or `…/*` for any account. */
  readonly account: string;
  readonly guesses: number;
}

/** The most that one run takes. Infinity where nobody can say: a limit on it then refuses. */
export interface BudgetDemand {
  readonly runId: string;
  readonly engagement: Engagement;
  readonly packetsPerSecond: number;
  readonly probes: number;
  readonly runMs: number;
  readonly targets: readonly TargetLoad[];
  readonly accounts: readonly AccountLoad[];
}

/** What a run has taken; what is absent counts as it was reserved. */
export interface BudgetSpent {
  /** 0 when no process ran. */
  readonly runMs: number;
  readonly probes?: number;
  readonly accounts?: readonly AccountLoad[];
}

/** The place of one run in the budgets. */
export interface Reservation {
  /** Gives back what was not taken; once. Never rejects: what cannot be stored now is stored later. */
  settle(spent: BudgetSpent): Promise<void>;
}

/** The budgets of all engagements. Every reservation is whole or not at all. */
export interface Budgets {
  /** Throws ERR_BUDGET_EXHAUSTED with `details.rule` (`budget.probes-per-hour`…), limit, used and asked; takes nothing. */
  check(demand: BudgetDemand, trace?: RuleTrace): void;
  /** Takes it at once and resolves when that is durable. Throws as `check`, or ERR_STORE_UNAVAILABLE with nothing taken. */
  reserve(demand: BudgetDemand): Promise<Reservation>;
  /** What is left of each limit of an engagement. */
  left(engagement: Engagement): readonly BudgetLeft[];
}

/** The budgets over lives of the gateway. Until `load` has resolved nothing is granted. */
export interface DurableBudgets extends Budgets {
  /** Reads what earlier lives took; once, before anything is reserved. Rejects with ERR_STORE_UNAVAILABLE. */
  load(): Promise<void>;
  /**
   * Stores what waits to be stored, folds what is older than a day, and measures anew what has aged meanwhile. To be
   * called every few minutes. Rejects with ERR_STORE_UNAVAILABLE; nothing is lost then.
   */
  upkeep(): Promise<void>;
  /** One last try to store what waits. Never rejects: what stays counts as it was reserved after the restart. */
  close(): Promise<void>;
}

/** What is kept of one reservation. */
export interface StoredReservation {
  /** The id of its run and a nonce: a run that is planned again at its start reserves again. */
  readonly id: string;
  readonly engagement: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Absent while it runs. After a restart it counts as it was reserved: nobody knows what was sent. */
  readonly settledAt?: number;
  readonly probes: number;
  readonly runMs: number;
  /** JSON of the target loads (loads.ts). */
  readonly targets: string;
  readonly accounts: readonly AccountLoad[];
}

/** Run time of runs that left the window, of one engagement at one set of targets. */
export interface StoredRunTime {
  readonly engagement: string;
  /** As in a reservation, or folded. */
  readonly targets: string;
  readonly runMs: number;
}

/** Where reservations are kept. */
export interface BudgetStore {
  /** Adds it or replaces the one of the same id. */
  put(reservation: StoredReservation): Promise<void>;
  /** Removes the reservation of this id, when there is one. */
  drop(id: string): Promise<void>;
  /**
   * Everything that is not settled or was settled at or after `since`, and the run time of everything else: for these
   * engagements by their targets, for all others in one sum without any.
   */
  load(
    since: number,
    byTarget: readonly string[],
  ): Promise<{
    readonly recent: readonly StoredReservation[];
    readonly earlier: readonly StoredRunTime[];
  }>;
  /** Folds what was settled before that time to its run time: the sums stay exact. Returns how many went. */
  fold(before: number): Promise<number>;
}
