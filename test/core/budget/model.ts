import type { BudgetDemand, BudgetSpent } from '../../../src/core/budget/types.ts';
import { HOUR, MINUTE } from './rig.ts';

/** What the model says that one run counts. */
interface Counted {
  readonly probes: number;
  readonly runMs: number;
  /** By address, of the last four bits. */
  readonly atAddress: ReadonlyMap<number, number>;
  readonly guesses: ReadonlyMap<string, number>;
}

/** One run as a naive reader of the rules follows it: address by address, in true time. */
export interface ModelRun {
  readonly demand: BudgetDemand;
  counted: Counted;
  endedAt: number | undefined;
  /** As it stands in the store. */
  stored: { counted: Counted; endedAt: number | undefined };
  isWaiting: boolean;
}

/** How the store takes writes. */
export type StoreMode = 'writes' | 'fails' | 'lost';

/** A second implementation of the budgets, slow and simple: everything is counted anew for each address and account. */
export class Model {
  readonly runs: ModelRun[] = [];
  now = 0;
  mode: StoreMode = 'writes';

  /** Whether there is room for it. */
  admits(demand: BudgetDemand): boolean {
    return this.excess(demand.engagement.id, demand) === undefined;
  }

  /** The first limit that what is taken, with the demand, is above. */
  excess(engagement: string, demand?: BudgetDemand): string | undefined {
    const runs = this.runs.filter((run) => run.demand.engagement.id === engagement);
    const document = (demand ?? runs[0]?.demand)?.engagement.document.budgets ?? {};
    const asked = demand === undefined ? [] : [this.#newRun(demand)];
    const all = [...runs, ...asked];
    const { perTarget = {}, guessesPerAccountPerHour: perAccount = Number.POSITIVE_INFINITY } = document;
    const faults = this.#above(all, document);
    for (let address = 0; address < 16; address += 1) {
      const at = (run: ModelRun) => run.counted.atAddress.has(address);
      // Whom the demand does not touch is not asked, however little is left there.
      if (demand !== undefined && !asked.some(at)) continue;
      faults.push(...this.#above(all.filter(at), perTarget, address));
    }
    const recent = all.filter((run) => this.#isRecent(run));
    for (const login of ['a', 'b', 'other']) {
      const guesses = (run: ModelRun) => (run.counted.guesses.get(login) ?? 0) + (run.counted.guesses.get('*') ?? 0);
      if (demand !== undefined && !asked.some((run) => guesses(run) > 0)) continue;
      if (sum(recent.map(guesses)) > perAccount) faults.push(`guesses at ${login}`);
    }
    return faults[0];
  }

  add(demand: BudgetDemand): void {
    if (this.mode === 'writes') this.runs.push(this.#newRun(demand));
  }

  settle(run: ModelRun, spent: BudgetSpent): void {
    const { counted } = run;
    const probes = spent.probes ?? counted.probes;
    const { probes: most = Number.POSITIVE_INFINITY } = spent;
    const atAddress = new Map([...counted.atAddress].map(([at, reserved]) => [at, Math.min(reserved, most)]));
    const guesses = spent.accounts === undefined ? counted.guesses : guessesOf(spent.accounts);
    run.counted = { probes, runMs: spent.runMs, atAddress, guesses };
    run.endedAt = this.now;
    this.#write(run);
  }

  flush(): void {
    for (const run of this.runs) if (run.isWaiting) this.#write(run);
  }

  restart(): void {
    for (const run of this.runs) {
      const { counted, endedAt } = run.stored;
      Object.assign(run, { counted, endedAt: endedAt ?? this.now, isWaiting: false });
      if (endedAt === undefined) this.#write(run);
    }
  }

  running(): readonly ModelRun[] {
    return this.runs.filter(({ endedAt }) => endedAt === undefined);
  }

  runMs(engagement: string): number {
    return sum(this.runs.filter((run) => run.demand.engagement.id === engagement).map((run) => run.counted.runMs));
  }

  #write(run: ModelRun): void {
    if (this.mode !== 'fails') run.stored = { counted: run.counted, endedAt: run.endedAt };
    run.isWaiting = this.mode !== 'writes';
  }

  #newRun(demand: BudgetDemand): ModelRun {
    const atAddress = new Map<number, number>();
    for (const { first, last, probes } of demand.targets) {
      for (let at = Number(first & 15n); at <= Number(last & 15n); at += 1) {
        atAddress.set(at, (atAddress.get(at) ?? 0) + probes);
      }
    }
    const { probes, runMs } = demand;
    const counted = { probes, runMs, atAddress, guesses: guessesOf(demand.accounts) };
    return { demand, counted, endedAt: undefined, stored: { counted, endedAt: undefined }, isWaiting: false };
  }

  #isRecent({ endedAt }: ModelRun): boolean {
    return endedAt === undefined || this.now - endedAt < HOUR;
  }

  #above(
    runs: readonly ModelRun[],
    limits: Partial<Record<'packetsPerSecond' | 'probesPerHour' | 'runMinutes' | 'concurrentRuns', number>>,
    address?: number,
  ): string[] {
    const probes = ({ counted }: ModelRun) =>
      address === undefined ? counted.probes : (counted.atAddress.get(address) ?? 0);
    const running = runs.filter(({ endedAt }) => endedAt === undefined);
    const rate = ({ demand }: ModelRun): number => {
      if (address === undefined) return demand.packetsPerSecond;
      const here = demand.targets.filter(({ first, last }) => first <= at(address) && at(address) <= last);
      return Math.min(demand.packetsPerSecond, sum(here.map(({ packetsPerSecond }) => packetsPerSecond)));
    };
    const taken = {
      packetsPerSecond: sum(running.map(rate)),
      concurrentRuns: running.length,
      probesPerHour: sum(runs.filter((run) => this.#isRecent(run)).map(probes)),
      runMinutes: sum(runs.map(({ counted }) => counted.runMs)) / MINUTE,
    };
    const names = Object.keys(taken) as (keyof typeof taken)[];
    return names
      .filter((name) => taken[name] > (limits[name] ?? Number.POSITIVE_INFINITY))
      .map((name) => `${name} ${taken[name]} at ${address ?? 'all'}`);
  }
}

const at = (address: number): bigint => 0x0a_00_00_00n + BigInt(address);

function guessesOf(accounts: BudgetDemand['accounts']): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (const { account, guesses } of accounts) {
    const login = account.slice(account.lastIndexOf('/') + 1);
    all.set(login, (all.get(login) ?? 0) + guesses);
  }
  return all;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
