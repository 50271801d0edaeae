import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { demand, engagementOf, exhausted, HOUR, loadOf, makeBudgets, MINUTE } from './rig.ts';

const UNKNOWN = Number.POSITIVE_INFINITY;

test('packets per second are summed over what runs, and are free when it has ended', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ packetsPerSecond: 100 });
  const first = await budgets.reserve(demand(engagement, { packetsPerSecond: 70 }));
  const more = demand(engagement, { packetsPerSecond: 40 });
  const details = { limit: 100, used: 70, asked: 40, left: 30, engagement: 'acme', budget: 'packetsPerSecond' };
  await assert.rejects(
    budgets.reserve(more),
    exhausted('budget.packets-per-second', { ...details, retryAfterMs: MINUTE }),
  );
  await first.settle({ runMs: 1000 });
  await budgets.reserve(more);
});

test('runs at once are counted while they run', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ concurrentRuns: 2 });
  const held = [await budgets.reserve(demand(engagement)), await budgets.reserve(demand(engagement))];
  await assert.rejects(budgets.reserve(demand(engagement)), exhausted('budget.concurrent-runs', { used: 2, left: 0 }));
  await held[0]?.settle({ runMs: 0 });
  await budgets.reserve(demand(engagement));
});

test('probes count until an hour after their run has ended: they may have been its last', async () => {
  const { budgets, clock } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 150 });
  const run = await budgets.reserve(demand(engagement));
  clock.advance(50 * MINUTE);
  await run.settle({ runMs: 50 * MINUTE });
  clock.advance(HOUR - 1);
  const refused = exhausted('budget.probes-per-hour', { used: 100, left: 50, retryAfterMs: 1000 });
  await assert.rejects(budgets.reserve(demand(engagement)), refused);
  clock.advance(1);
  await budgets.reserve(demand(engagement));
});

test('what was not sent is given back, and what was sent beyond the reservation counts', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 150 });
  const few = await budgets.reserve(demand(engagement));
  await few.settle({ runMs: 1, probes: 10 });
  const many = await budgets.reserve(demand(engagement));
  await many.settle({ runMs: 1, probes: 139 });
  await assert.rejects(
    budgets.reserve(demand(engagement, { probes: 2 })),
    exhausted('budget.probes-per-hour', { used: 149 }),
  );
  await budgets.reserve(demand(engagement, { probes: 1 }));
});

test('minutes of runs are never free again, but for what a run did not use', async () => {
  const { budgets, clock } = await makeBudgets();
  const engagement = engagementOf({ runMinutes: 10 });
  const run = await budgets.reserve(demand(engagement, { runMs: 8 * MINUTE }));
  const more = demand(engagement, { runMs: 3 * MINUTE });
  const details = { used: 8, asked: 3, left: 2, limit: 10 };
  await assert.rejects(
    budgets.reserve(more),
    exhausted('budget.run-minutes', { ...details, retryAfterMs: 8 * MINUTE }),
  );
  await run.settle({ runMs: 7.5 * MINUTE });
  clock.advance(1000 * HOUR);
  const never = { ...details, used: 7.5, left: 2.5, retryAfterMs: undefined };
  await assert.rejects(budgets.reserve(more), exhausted('budget.run-minutes', never));
  await budgets.reserve(demand(engagement, { runMs: 2.5 * MINUTE }));
});

test('guesses are counted by account', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ guessesPerAccountPerHour: 10 });
  const guess = async (account: string, guesses: number) =>
    budgets.reserve(demand(engagement, { accounts: [{ account: `ssh://10.0.0.1:22/${account}`, guesses }] }));
  await guess('root', 6);
  await guess('admin', 6);
  const details = { used: 6, asked: 5, account: 'ssh://10.0.0.1:22/root' };
  await assert.rejects(guess('root', 5), exhausted('budget.guesses-per-account-per-hour', details));
  await guess('root', 4);
});

test('a guess at any login counts at each, and guesses at each count against it', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ guessesPerAccountPerHour: 10 });
  const guess = async (account: string, guesses: number) =>
    budgets.reserve(demand(engagement, { accounts: [{ account: `ssh://10.0.0.1:22/${account}`, guesses }] }));
  await guess('root', 4);
  const any = await guess('*', 6);
  await assert.rejects(guess('*', 1), exhausted('budget.guesses-per-account-per-hour'));
  await assert.rejects(guess('root', 1), exhausted('budget.guesses-per-account-per-hour'));
  await assert.rejects(guess('other', 5), exhausted('budget.guesses-per-account-per-hour', { used: 6 }));
  await any.settle({ runMs: 1, accounts: [{ account: 'ssh://10.0.0.1:22/other', guesses: 5 }] });
  await guess('root', 6);
  await assert.rejects(guess('other', 6), exhausted('budget.guesses-per-account-per-hour', { used: 5 }));
});

test('the refusal of a guess at any login does not tell whom somebody else has guessed at', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ guessesPerAccountPerHour: 10 });
  const load = (account: string, guesses: number) => ({
    accounts: [{ account: `ssh://10.0.0.1:22/${account}`, guesses }],
  });
  await budgets.reserve(demand(engagement, load('jane.roe', 9)));
  const thrown = await budgets.reserve(demand(engagement, load('*', 2))).then(
    () => undefined,
    (error: Error) => error,
  );
  assert.ok(thrown);
  assert.doesNotMatch(JSON.stringify([thrown, thrown.message]), /jane/);
});

test('another spelling of a login is the same account', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ guessesPerAccountPerHour: 10 });
  const guess = async (login: string) =>
    budgets.reserve(demand(engagement, { accounts: [{ account: `smb://10.0.0.1:445/${login}`, guesses: 6 }] }));
  await guess('admin');
  for (const login of ['Admin', 'ADMIN', 'ａdmin']) {
    await assert.rejects(guess(login), exhausted('budget.guesses-per-account-per-hour'), login);
  }
});

test('limits of each address hold where blocks overlap, and nowhere else', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ perTarget: { probesPerHour: 10 } });
  const scan = async (block: string, probes: number) =>
    budgets.reserve(demand(engagement, { targets: [loadOf(block, probes)] }));
  await scan('10.0.0.0/24', 6);
  await scan('10.0.0.128/25', 4);
  const details = { target: '10.0.0.128', used: 10, asked: 1, left: 0, budget: 'perTarget.probesPerHour' };
  await assert.rejects(scan('10.0.0.0/16', 1), exhausted('budget.per-target.probes-per-hour', details));
  await scan('10.0.0.0/25', 4);
  await scan('10.0.1.0/24', 10);
  await scan('fd00::/8', 10);
});

test('the other limits of each address count runs, their rate and their time', async () => {
  const targets = [loadOf('10.0.0.7', 1, 30)];
  const cases = [
    [{ packetsPerSecond: 50 }, 'budget.per-target.packets-per-second'],
    [{ concurrentRuns: 1 }, 'budget.per-target.concurrent-runs'],
    [{ runMinutes: 1 }, 'budget.per-target.run-minutes'],
  ] as const;
  for (const [perTarget, rule] of cases) {
    const { budgets } = await makeBudgets();
    const engagement = engagementOf({ perTarget });
    await budgets.reserve(demand(engagement, { targets, packetsPerSecond: 30 }));
    const again = demand(engagement, { targets: [loadOf('10.0.0.0/28', 1, 30)], packetsPerSecond: 30 });
    await assert.rejects(budgets.reserve(again), exhausted(rule, { target: '10.0.0.7' }));
    await budgets.reserve(demand(engagement, { targets: [loadOf('10.0.0.8', 1, 30)] }));
  }
});

test('a run that names an address twice sends it both, as one run at one rate', async () => {
  const { budgets } = await makeBudgets();
  const targets = [loadOf('10.0.0.1', 6, 30), loadOf('10.0.0.0/30', 6, 30)];
  const twice = (perTarget: object) => demand(engagementOf({ perTarget }), { targets, packetsPerSecond: 30 });
  budgets.check(twice({ concurrentRuns: 1, packetsPerSecond: 30, runMinutes: 1, probesPerHour: 12 }));
  assert.throws(() => budgets.check(twice({ probesPerHour: 11 })), exhausted('budget.per-target.probes-per-hour'));
});

test('after a scan each address keeps its part: nobody says which of them answered', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ perTarget: { probesPerHour: 10 } });
  const targets = [loadOf('10.0.0.0/24', 8)];
  const run = await budgets.reserve(demand(engagement, { probes: 2048, targets }));
  await run.settle({ runMs: 1, probes: 16 });
  const more = (probes: number) => demand(engagement, { targets: [loadOf('10.0.0.5', probes)] });
  assert.throws(() => budgets.check(more(3)), exhausted('budget.per-target.probes-per-hour', { used: 8 }));
  const second = await budgets.reserve(more(2));
  await second.settle({ runMs: 1, probes: 0 });
  budgets.check(more(2));
});

test('an unknown amount is refused by a limit and taken where there is none', async () => {
  const { budgets } = await makeBudgets();
  const unknown = { probes: UNKNOWN, packetsPerSecond: UNKNOWN, targets: [loadOf('10.0.0.1', UNKNOWN, UNKNOWN)] };
  const limits = { packetsPerSecond: 1e9, probesPerHour: 1e9, perTarget: { probesPerHour: 1e9 } };
  for (const [budget, limit] of Object.entries(limits)) {
    const engagement = engagementOf({ [budget]: limit });
    assert.throws(
      () => budgets.check(demand(engagement, unknown)),
      (thrown: { code?: string; details?: { asked?: unknown } }) => thrown.details?.asked === 'unknown',
    );
  }
  await budgets.reserve(demand(engagementOf({ concurrentRuns: 5 }), unknown));
  const afterwards = engagementOf(limits);
  assert.throws(() => budgets.check(demand(afterwards)), exhausted('budget.packets-per-second', { used: 'unknown' }));
  assert.doesNotMatch(JSON.stringify(budgets.left(afterwards)), /null/);
});

test('an amount that is none is more than any limit permits', async () => {
  const { budgets } = await makeBudgets();
  for (const probes of [Number.NaN, -1]) {
    const engagement = engagementOf({ probesPerHour: 1000 });
    assert.throws(() => budgets.check(demand(engagement, { probes })), exhausted('budget.probes-per-hour'));
    const run = await budgets.reserve(demand(engagementOf({ probesPerHour: 1000 }, `of ${probes}`)));
    await run.settle({ runMs: 1, probes });
    assert.equal(budgets.left(engagementOf({ probesPerHour: 1000 }, `of ${probes}`))[0]?.left, 0);
  }
});

test('0 permits nothing and what is absent is not limited', async () => {
  const { budgets } = await makeBudgets();
  const nothing = { probes: 0, packetsPerSecond: 0, runMs: 0, targets: [loadOf('10.0.0.1')] };
  for (const budget of ['packetsPerSecond', 'probesPerHour', 'runMinutes', 'concurrentRuns']) {
    const never = { limit: 0, retryAfterMs: undefined };
    const kebab = budget.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const whole = engagementOf({ [budget]: 0 });
    assert.throws(() => budgets.check(demand(whole, nothing)), exhausted(`budget.${kebab}`, never));
    const each = engagementOf({ perTarget: { [budget]: 0 } });
    assert.throws(() => budgets.check(demand(each, nothing)), exhausted(`budget.per-target.${kebab}`, never));
  }
  const guesses = demand(engagementOf({ guessesPerAccountPerHour: 0 }), { accounts: [{ account: 'x', guesses: 0 }] });
  assert.throws(() => budgets.check(guesses), exhausted('budget.guesses-per-account-per-hour'));
  for (let run = 0; run < 100; run += 1) await budgets.reserve(demand(engagementOf({})));
});

test('engagements do not share a budget, and a limit that is lowered holds at once', async () => {
  const { budgets } = await makeBudgets();
  await budgets.reserve(demand(engagementOf({ probesPerHour: 100 }, 'one')));
  await budgets.reserve(demand(engagementOf({ probesPerHour: 100 }, 'two')));
  const lowered = engagementOf({ probesPerHour: 50 }, 'one');
  const over = exhausted('budget.probes-per-hour', { used: 100, left: 0, limit: 50 });
  assert.throws(() => budgets.check(demand(lowered, { probes: 1 })), over);
});

test('a check takes nothing and its trace names every limit with what decided', async () => {
  const { budgets } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 100, runMinutes: 5, perTarget: { concurrentRuns: 1 } });
  const trace = createTrace();
  const asked = demand(engagement, { targets: [loadOf('10.0.0.1')] });
  for (let time = 0; time < 3; time += 1) budgets.check(asked, trace);
  const rules = ['budget.probes-per-hour', 'budget.run-minutes', 'budget.per-target.concurrent-runs'];
  assert.deepEqual(
    trace.entries.slice(0, 3).map(({ rule }) => rule),
    rules,
  );
  assert.deepEqual(trace.entries[0], {
    rule: rules[0],
    outcome: 'passed',
    datum: '0 used and 100 asked of 100',
  });
});

test('waiting is offered as long as it helps: until enough has aged, and never when the limit is too low', async () => {
  const { budgets, clock } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 100 });
  for (const probes of [30, 30, 40]) {
    const run = await budgets.reserve(demand(engagement, { probes }));
    await run.settle({ runMs: 1 });
    clock.advance(10 * MINUTE);
  }
  const waits = async (probes: number, retryAfterMs: number | undefined) =>
    assert.rejects(
      budgets.reserve(demand(engagement, { probes })),
      exhausted('budget.probes-per-hour', { retryAfterMs }),
    );
  await waits(30, 30 * MINUTE);
  await waits(31, 40 * MINUTE);
  await waits(100, 50 * MINUTE);
  await waits(101, undefined);
});

test('what is left is told and measured after each change, also when time has passed', async () => {
  const { budgets, clock, gauges } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 400, runMinutes: 4, perTarget: { probesPerHour: 200 } });
  const run = await budgets.reserve(demand(engagement, { targets: [loadOf('10.0.0.0/24', 50)] }));
  assert.deepEqual(budgets.left(engagement), [
    { budget: 'probesPerHour', limit: 400, used: 100, left: 300 },
    { budget: 'runMinutes', limit: 4, used: 1, left: 3 },
    { budget: 'perTarget.probesPerHour', limit: 200, used: 50, left: 150 },
  ]);
  await budgets.upkeep();
  assert.equal(gauges.get('acme probesPerHour'), 0.75);
  await run.settle({ runMs: 0 });
  await budgets.upkeep();
  assert.equal(gauges.get('acme runMinutes'), 1);
  clock.advance(HOUR);
  await budgets.upkeep();
  assert.equal(gauges.get('acme probesPerHour'), 1);
  assert.equal(gauges.get('acme perTarget.probesPerHour'), 1);
});
