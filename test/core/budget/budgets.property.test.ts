import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { BudgetDemand, BudgetSpent, Reservation } from '../../../src/core/budget/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { Model, type ModelRun } from './model.ts';
import { type BudgetRig, demand, engagementOf, HOUR, loadOf, makeBudgets, MINUTE } from './rig.ts';

const ENGAGEMENTS = [
  engagementOf(
    {
      packetsPerSecond: 100,
      probesPerHour: 300,
      runMinutes: 60,
      concurrentRuns: 3,
      guessesPerAccountPerHour: 10,
      perTarget: { packetsPerSecond: 60, probesPerHour: 100, runMinutes: 30, concurrentRuns: 2 },
    },
    'all',
  ),
  engagementOf({ perTarget: { probesPerHour: 60, concurrentRuns: 1 } }, 'targets'),
  engagementOf({ probesPerHour: 500, guessesPerAccountPerHour: 6 }, 'guesses'),
];

const BLOCKS = ['10.0.0.0/28', '10.0.0.0/29', '10.0.0.8/29', '10.0.0.4/30', '10.0.0.5', '10.0.0.8', '10.0.0.15'];
const blocks = fc.array(fc.record({ block: fc.constantFrom(...BLOCKS), probes: fc.nat(40), rate: fc.nat(40) }), {
  maxLength: 3,
});
const accounts = fc.array(
  fc.record({
    account: fc.constantFrom('a', 'b', '*').map((login) => `ssh://10.0.0.1:22/${login}`),
    guesses: fc.nat(5),
  }),
  { maxLength: 2 },
);
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('reserve' as const),
      engagement: fc.nat(ENGAGEMENTS.length - 1),
      packetsPerSecond: fc.nat(60),
      probes: fc.nat(150),
      runMs: fc.nat(15 * MINUTE),
      blocks,
      accounts,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(9),
      part: fc.nat(4),
      says: fc.boolean(),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.oneof(fc.nat(HOUR), fc.nat(40 * HOUR), fc.constantFrom(HOUR - 1, HOUR, 1)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -50 * HOUR, max: 50 * HOUR }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), backMs: fc.constantFrom(0, 0, 0, 3 * HOUR) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('store' as const), mode: fc.constantFrom('writes', 'fails', 'lost') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('upkeep' as const) }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;
type Of<K extends Command['kind']> = Extract<Command, { kind: K }>;

/** The budgets and their model, taken through the same. */
class Pair {
  rig: BudgetRig;
  readonly model = new Model();
  readonly held = new Map<ModelRun, Reservation>();
  /** After a wall clock that was behind at a restart what was taken may count longer; never shorter. */
  isBehind = false;

  constructor(rig: BudgetRig) {
    this.rig = rig;
  }

  async run(command: Command): Promise<void> {
    if (command.kind === 'reserve') await this.#reserve(command);
    else if (command.kind === 'settle') await this.#settle(command);
    else if (command.kind === 'restart') await this.#restart(command);
    else if (command.kind === 'jump') this.rig.clock.jump(command.ms);
    else if (command.kind === 'advance') this.advance(command.ms);
    else if (command.kind === 'store') this.setMode(command.mode as Model['mode']);
    else await this.upkeep();
    for (const { id } of ENGAGEMENTS) assert.equal(this.model.excess(id), undefined);
  }

  advance(ms: number): void {
    this.rig.clock.advance(ms);
    this.model.now += ms;
  }

  setMode(mode: Model['mode']): void {
    this.rig.store.mode = mode;
    this.model.mode = mode;
  }

  async upkeep(): Promise<void> {
    await this.rig.budgets.upkeep();
    this.model.flush();
  }

  async #reserve({ engagement: index, blocks: asked, ...rest }: Of<'reserve'>): Promise<void> {
    const engagement = ENGAGEMENTS[index];
    assert.ok(engagement);
    const targets = asked.map(({ block, probes, rate }) => loadOf(block, probes, rate));
    const wanted: BudgetDemand = demand(engagement, { ...rest, targets });
    const given = await this.rig.budgets.reserve(wanted).catch((error: unknown) => error);
    const code = given instanceof SallyportError ? given.code : 'GIVEN';
    const isRoom = this.model.admits(wanted);
    if (!isRoom) assert.equal(code, 'ERR_BUDGET_EXHAUSTED');
    else if (!this.isBehind) assert.equal(code, this.model.mode === 'writes' ? 'GIVEN' : 'ERR_STORE_UNAVAILABLE');
    if (code !== 'GIVEN') return;
    this.model.add(wanted);
    this.held.set(this.model.runs.at(-1) as ModelRun, given as Reservation);
  }

  async #settle({ which, part, says, twice }: Of<'settle'>): Promise<void> {
    const running = this.model.running();
    const run = running[which % Math.max(1, running.length)];
    const reservation = run && this.held.get(run);
    if (run === undefined || reservation === undefined) return;
    const less = (amount: number) => Math.floor((amount * part) / 4);
    const spent: BudgetSpent = {
      runMs: less(run.demand.runMs),
      ...(says && {
        probes: less(run.demand.probes),
        accounts: run.demand.accounts.map(({ account, guesses }) => ({ account, guesses: less(guesses) })),
      }),
    };
    await Promise.all([reservation.settle(spent), ...(twice ? [reservation.settle({ runMs: 0, probes: 0 })] : [])]);
    this.model.settle(run, spent);
  }

  async #restart({ backMs }: Of<'restart'>): Promise<void> {
    this.isBehind ||= backMs > 0;
    this.rig.clock.restart(-backMs);
    this.rig = await this.rig.again();
    this.model.restart();
    this.held.clear();
  }
}

test('whatever comes in whatever order, no limit is ever exceeded and nothing is refused for which there is room', async (t) => {
  const property = fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
    const pair = new Pair(await makeBudgets(undefined, undefined, ENGAGEMENTS));
    for (const each of commands) await pair.run(each);
    await endsFree(pair);
  });
  await fuzz(t, property);
});

/** When everything is settled and an hour has passed all is free but the minutes that were really used. */
async function endsFree(pair: Pair): Promise<void> {
  pair.setMode('writes');
  for (const [run, reservation] of pair.held) {
    if (run.endedAt !== undefined) continue;
    await reservation.settle({ runMs: 0 });
    pair.model.settle(run, { runMs: 0 });
  }
  await pair.upkeep();
  // What was settled with a clock that was behind is older by that much.
  pair.advance(HOUR);
  const expectFree = (rig: BudgetRig) => {
    for (const engagement of ENGAGEMENTS) {
      for (const { budget, used } of rig.budgets.left(engagement)) {
        if (budget === 'runMinutes')
          assert.equal(used, Math.ceil((pair.model.runMs(engagement.id) / MINUTE) * 100) / 100);
        else if (budget !== 'perTarget.runMinutes') assert.equal(used, 0, budget);
      }
    }
  };
  expectFree(pair.rig);
  pair.advance(100 * HOUR);
  await pair.upkeep();
  pair.rig.clock.restart();
  expectFree(await pair.rig.again());
}
