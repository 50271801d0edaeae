import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { createBudgets } from '../../../src/core/budget/budgets.ts';
import { parseCidr } from '../../../src/core/targets/address.ts';
import { foldLoads } from '../../../src/core/budget/loads.ts';
import type {
  BudgetDemand,
  BudgetStore,
  DurableBudgets,
  StoredReservation,
  StoredRunTime,
  TargetLoad,
} from '../../../src/core/budget/types.ts';
import type { Clock } from '../../../src/core/clock.ts';
import type { Engagement } from '../../../src/core/engagement/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** The time of a machine whose wall clock may be moved: `advance` moves both, `jump` the wall alone. */
export interface TestClock extends Clock {
  advance(ms: number): void;
  jump(ms: number): void;
  /** The machine starts again: its monotonic clock begins anew and what the wall was moved by is gone. */
  restart(wallOffMs?: number): void;
}

export function testClock(): TestClock {
  let time = 1_000_000_000;
  let jumped = 0;
  let startedAt = 0;
  return {
    now: () => time + jumped,
    monotonic: () => time - startedAt,
    advance: (ms) => void (time += ms),
    jump: (ms) => void (jumped += ms),
    restart: (wallOffMs = 0) => {
      startedAt = time;
      jumped = wallOffMs;
    },
  };
}

/** A store in memory that can be slow and can fail. */
export interface TestStore extends BudgetStore {
  readonly rows: Map<string, StoredReservation>;
  /** What writes do: `lost` writes and then fails, as when the answer does not arrive. */
  mode: 'writes' | 'fails' | 'lost';
  /** Turns of the event loop that a write takes. */
  delay: number;
}

export function testStore(): TestStore {
  const rows = new Map<string, StoredReservation>();
  const folded = new Map<string, { engagement: string; targets: string; runMs: number }>();
  const write = async (change: () => void): Promise<void> => {
    const { mode, delay } = store;
    for (let turn = 0; turn < delay; turn += 1) await nextTurn();
    if (mode !== 'fails') change();
    if (mode !== 'writes') throw new SallyportError('ERR_STORE_UNAVAILABLE', 'no');
  };
  const store: TestStore = {
    rows,
    mode: 'writes',
    delay: 0,
    put: async (row) => write(() => void rows.set(row.id, row)),
    drop: async (id) => write(() => void rows.delete(id)),
    load: async (since, byTarget) => {
      const isRecent = ({ settledAt }: StoredReservation) => settledAt === undefined || settledAt >= since;
      const recent = [...rows.values()].filter(isRecent);
      const earlier = [...folded.values(), ...[...rows.values()].filter((row) => !isRecent(row))];
      const told = ({ engagement, targets, runMs }: StoredRunTime) => ({
        engagement,
        targets: byTarget.includes(engagement) ? targets : '[]',
        runMs,
      });
      return { recent, earlier: earlier.map(told) };
    },
    fold: async (before) => {
      for (const { id, engagement, settledAt, targets, runMs } of rows.values()) {
        if (settledAt === undefined || settledAt >= before) continue;
        rows.delete(id);
        folded.set(id, { engagement, targets: foldLoads(targets), runMs });
      }
      return 0;
    },
  };
  return store;
}

/** Lets everything that is ready happen. */
export const nextTurn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Limits = NonNullable<EngagementDocument['budgets']>;

export function engagementOf(budgets: Limits, id = 'acme'): Engagement {
  const document: EngagementDocument = {
    id,
    title: id,
    approver: 'j.doe',
    principals: ['*'],
    scope: { allow: ['10.0.0.0/8'] },
    tools: { allow: ['*'] },
    risk: 'exploit',
    budgets,
  };
  const pin = async () => Promise.reject(new Error('no targets here'));
  return { id, version: '0', document, source: 'configuration', policy: { pin } };
}

/** Every address of a block takes this. */
export function loadOf(block: string, probes = 0, packetsPerSecond = 0): TargetLoad {
  const read = parseCidr(block);
  if (!read.ok) throw new Error(read.fault);
  const { family, bits, prefix } = read.value;
  const size = 1n << BigInt((family === 4 ? 32 : 128) - prefix);
  return { family, first: bits, last: bits + size - 1n, probes, packetsPerSecond };
}

let lastRun = 0;

export function demand(engagement: Engagement, changes: Partial<BudgetDemand> = {}): BudgetDemand {
  const runId = `run_${++lastRun}`;
  return {
    runId,
    engagement,
    packetsPerSecond: 10,
    probes: 100,
    runMs: MINUTE,
    targets: [],
    accounts: [],
    ...changes,
  };
}

export interface BudgetRig {
  readonly budgets: DurableBudgets;
  readonly clock: TestClock;
  readonly store: TestStore;
  /** The newest value by engagement and budget. */
  readonly gauges: Map<string, number>;
  /** Every measurement that was made. */
  readonly measured: string[];
  readonly logged: string[];
  /** Another life on the same store. */
  again(engagements?: readonly Engagement[]): Promise<BudgetRig>;
}

export async function makeBudgets(
  store = testStore(),
  clock = testClock(),
  engagements: readonly Engagement[] = [],
): Promise<BudgetRig> {
  const gauges = new Map<string, number>();
  const measured: string[] = [];
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const budgets = createBudgets({
    store,
    engagements: () => engagements,
    clock,
    recorder: {
      gauge: (_name, labels, value) => {
        const { engagement = '', budget = '' } = labels as Record<string, string>;
        measured.push(budget);
        gauges.set(`${engagement} ${budget}`, value);
      },
    },
    log: { info: note, warn: note, error: note },
    // Nothing is tried again but when a test says so.
    retryMs: 2 ** 30,
  });
  await budgets.load();
  return {
    budgets,
    clock,
    store,
    gauges,
    measured,
    logged,
    again: async (those = engagements) => makeBudgets(store, clock, those),
  };
}

/** What a refusal by a budget says. */
export function exhausted(rule: string, details: Record<string, unknown> = {}) {
  return (thrown: unknown): boolean => {
    if (!(thrown instanceof SallyportError) || thrown.code !== 'ERR_BUDGET_EXHAUSTED') throw thrown;
    const wanted = { rule, ...details };
    for (const [name, value] of Object.entries(wanted)) {
      const found = name === 'retryAfterMs' ? thrown.retryAfterMs : thrown.details?.[name];
      if (found !== value)
        throw new Error(`${name} is ${JSON.stringify(found)}, not ${JSON.stringify(value)}: ${thrown.message}`);
    }
    return true;
  };
}
