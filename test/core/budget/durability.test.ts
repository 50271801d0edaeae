import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBudgets } from '../../../src/core/budget/budgets.ts';
import { MAX_WAITING } from '../../../src/core/budget/kept-rows.ts';
import type { Reservation } from '../../../src/core/budget/types.ts';
import {
  demand,
  engagementOf,
  exhausted,
  HOUR,
  loadOf,
  makeBudgets,
  MINUTE,
  nextTurn,
  testClock,
  testStore,
} from './rig.ts';

const UNAVAILABLE = { code: 'ERR_STORE_UNAVAILABLE' };
const LIMITS = { probesPerHour: 1000, runMinutes: 100, concurrentRuns: 10, packetsPerSecond: 100 };
const ENGAGEMENT = engagementOf(LIMITS);

test('many reservations at once against a slow store never get more than there is', async () => {
  const rig = await makeBudgets();
  rig.store.delay = 3;
  const asked = Array.from({ length: 50 }, async () =>
    rig.budgets.reserve(demand(ENGAGEMENT, { probes: 150, packetsPerSecond: 1 })),
  );
  const settled = await Promise.allSettled(asked);
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 6);
  for (const each of settled) if (each.status === 'rejected') exhausted('budget.probes-per-hour')(each.reason);
});

test('a reservation is durable before it is given', async () => {
  const rig = await makeBudgets();
  rig.store.delay = 2;
  const given = rig.budgets.reserve(demand(ENGAGEMENT)).then(() => rig.store.rows.size);
  assert.equal(rig.store.rows.size, 0);
  assert.equal(rig.budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'concurrentRuns')?.used, 1);
  assert.equal(await given, 1);
});

test('a reservation that cannot be stored leaves nothing, and one whose answer was lost is removed', async () => {
  for (const mode of ['fails', 'lost'] as const) {
    const rig = await makeBudgets();
    rig.store.mode = mode;
    await assert.rejects(rig.budgets.reserve(demand(ENGAGEMENT)), UNAVAILABLE);
    assert.ok(rig.budgets.left(ENGAGEMENT).every(({ used }) => used === 0));
    rig.store.mode = 'writes';
    await rig.budgets.upkeep();
    assert.notEqual(rig.gauges.size, 0);
    assert.ok([...rig.gauges.values()].every((ratio) => ratio === 1));
    assert.equal(rig.store.rows.size, 0, mode);
  }
});

test('a settlement is counted at once, never rejects, and is stored when the store is back', async () => {
  const rig = await makeBudgets();
  const run = await rig.budgets.reserve(demand(ENGAGEMENT));
  rig.store.mode = 'fails';
  const settling = run.settle({ runMs: 0, probes: 7 });
  assert.equal(rig.budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'probesPerHour')?.used, 7);
  await settling;
  assert.deepEqual(rig.logged, ['budget.unsettled']);
  rig.store.mode = 'writes';
  await rig.budgets.upkeep();
  const next = await rig.again();
  assert.equal(next.budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'probesPerHour')?.used, 7);
});

test('what waits is tried again by itself and once more at the end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rig = await makeBudgets();
  const [one, two] = [await rig.budgets.reserve(demand(ENGAGEMENT)), await rig.budgets.reserve(demand(ENGAGEMENT))];
  rig.store.mode = 'fails';
  await one.settle({ runMs: 0 });
  rig.store.mode = 'writes';
  const unsettled = () => [...rig.store.rows.values()].filter(({ settledAt }) => settledAt === undefined).length;
  assert.equal(unsettled(), 2);
  t.mock.timers.tick(2 ** 30);
  await nextTurn();
  assert.equal(unsettled(), 1);
  rig.store.mode = 'fails';
  await two.settle({ runMs: 0 });
  rig.store.mode = 'writes';
  await rig.budgets.close();
  assert.equal(unsettled(), 0);
});

test('whoever settles first settles, however often and how much at once', async () => {
  const rig = await makeBudgets();
  const run = await rig.budgets.reserve(demand(ENGAGEMENT));
  rig.store.delay = 2;
  await Promise.all([
    run.settle({ runMs: 0, probes: 5 }),
    run.settle({ runMs: 0, probes: 0 }),
    run.settle({ runMs: 0, probes: 900 }),
  ]);
  await run.settle({ runMs: 0, probes: 0 });
  const next = await rig.again();
  for (const { budgets } of [rig, next]) {
    assert.equal(budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'probesPerHour')?.used, 5);
  }
});

test('a run that reserves again while its first settlement still waits is counted once for each', async () => {
  const rig = await makeBudgets();
  const asked = demand(ENGAGEMENT);
  const first = await rig.budgets.reserve(asked);
  rig.store.mode = 'fails';
  await first.settle({ runMs: 0, probes: 0, accounts: [] });
  rig.store.mode = 'writes';
  await rig.budgets.reserve(asked);
  await rig.budgets.upkeep();
  const next = await rig.again();
  assert.equal(next.budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'probesPerHour')?.used, 100);
});

test('what was not settled before a restart counts as it was reserved, and holds no place', async () => {
  const rig = await makeBudgets();
  const engagement = engagementOf({ ...LIMITS, guessesPerAccountPerHour: 10, perTarget: { ...LIMITS } });
  const account = 'ssh://10.0.0.1:22/root';
  await rig.budgets.reserve(
    demand(engagement, { targets: [loadOf('10.0.0.1', 50, 10)], accounts: [{ account, guesses: 6 }] }),
  );
  rig.clock.restart();
  const { budgets } = await rig.again();
  const used = Object.fromEntries(budgets.left(engagement).map((each) => [each.budget, each.used]));
  assert.deepEqual(used, {
    packetsPerSecond: 0,
    concurrentRuns: 0,
    probesPerHour: 100,
    runMinutes: 1,
    guessesPerAccountPerHour: 6,
    'perTarget.packetsPerSecond': 0,
    'perTarget.concurrentRuns': 0,
    'perTarget.probesPerHour': 50,
    'perTarget.runMinutes': 1,
  });
});

test('its hour begins with the restart, and not anew with the next one', async () => {
  const rig = await makeBudgets();
  await rig.budgets.reserve(demand(ENGAGEMENT));
  rig.clock.advance(30 * MINUTE);
  rig.clock.restart();
  await rig.again();
  rig.clock.advance(30 * MINUTE);
  rig.clock.restart();
  const { budgets } = await rig.again();
  const used = () => budgets.left(ENGAGEMENT).find(({ budget }) => budget === 'probesPerHour')?.used;
  assert.equal(used(), 100);
  rig.clock.advance(30 * MINUTE);
  assert.equal(used(), 0);
});

test('minutes of runs outlive folding and restarts, also at each address', async () => {
  const rig = await makeBudgets();
  const engagement = engagementOf({ runMinutes: 100, perTarget: { runMinutes: 10 } });
  const targets = [loadOf('10.0.0.0/24', 1)];
  for (const runMs of [MINUTE, 2 * MINUTE]) {
    const run = await rig.budgets.reserve(demand(engagement, { targets }));
    await run.settle({ runMs });
    rig.clock.advance(30 * HOUR);
    await rig.budgets.upkeep();
  }
  assert.equal(rig.store.rows.size, 0);
  rig.clock.restart();
  const { budgets } = await rig.again([engagement]);
  const spent = budgets.left(engagement).map(({ used }) => used);
  assert.deepEqual(spent, [3, 3]);
  const more = demand(engagement, { runMs: 8 * MINUTE, targets: [loadOf('10.0.0.9', 1)] });
  assert.throws(() => budgets.check(more), exhausted('budget.per-target.run-minutes', { used: 3, target: '10.0.0.9' }));
});

test('a wall clock that is moved frees nothing, and keeps nothing too long', async () => {
  const { budgets, clock } = await makeBudgets();
  const run = await budgets.reserve(demand(ENGAGEMENT, { probes: 1000 }));
  await run.settle({ runMs: 0 });
  for (const jump of [100 * HOUR, -1000 * HOUR, 900 * HOUR]) {
    clock.jump(jump);
    assert.throws(() => budgets.check(demand(ENGAGEMENT)), exhausted('budget.probes-per-hour'));
  }
  clock.advance(HOUR);
  budgets.check(demand(ENGAGEMENT));
});

test('a wall clock that is set back while the gateway is down frees nothing', async () => {
  const rig = await makeBudgets();
  const run = await rig.budgets.reserve(demand(ENGAGEMENT, { probes: 1000 }));
  await run.settle({ runMs: 0 });
  rig.clock.restart(-50 * HOUR);
  const { budgets } = await rig.again();
  assert.throws(() => budgets.check(demand(ENGAGEMENT)), exhausted('budget.probes-per-hour'));
  rig.clock.advance(HOUR - 1);
  assert.throws(() => budgets.check(demand(ENGAGEMENT)), exhausted('budget.probes-per-hour', { retryAfterMs: 1000 }));
  rig.clock.advance(1);
  budgets.check(demand(ENGAGEMENT));
});

test('before it is known what earlier lives took nothing is granted, also when that cannot be read', async () => {
  const none = () => undefined;
  const store = testStore();
  store.load = async () => Promise.reject(Object.assign(new Error('no'), { code: 'ERR_STORE_UNAVAILABLE' }));
  const log = { info: none, warn: none, error: none };
  const budgets = createBudgets({ store, clock: testClock(), recorder: { gauge: none }, log, engagements: () => [] });
  assert.throws(() => budgets.check(demand(engagementOf({}))), UNAVAILABLE);
  await assert.rejects(budgets.load(), UNAVAILABLE);
  await assert.rejects(budgets.reserve(demand(engagementOf({}))), UNAVAILABLE);
  assert.equal(store.rows.size, 0);
});

test('while the store takes no settlements nothing new begins above a bound', async () => {
  const rig = await makeBudgets();
  const engagement = engagementOf({});
  const runs: Reservation[] = [];
  for (let count = 0; count < MAX_WAITING; count += 1) runs.push(await rig.budgets.reserve(demand(engagement)));
  rig.store.mode = 'fails';
  await Promise.all(runs.map(async (run) => run.settle({ runMs: 0 })));
  rig.store.mode = 'writes';
  await assert.rejects(rig.budgets.reserve(demand(engagement)), UNAVAILABLE);
  assert.equal(rig.store.rows.size, MAX_WAITING);
  await rig.budgets.upkeep();
  await rig.budgets.reserve(demand(engagement));
});
