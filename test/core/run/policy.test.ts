import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BudgetDemand, BudgetSpent } from '../../../src/core/budget/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { caller, engineFixture, type FixtureOptions, pinnedHost } from '../../fixtures/engine.ts';
import { EXECUTED, heldProcess } from '../../fixtures/held-process.ts';
import { memoryStore } from '../../fixtures/memory-store.ts';
import { openGuards } from '../../fixtures/policy.ts';

const NEED = { from: 'active', quorum: 1, ttlMs: 60_000, selfConfirm: false } as const;
const needsConsent = (wait: () => Promise<void>): FixtureOptions => ({
  sources: { need: () => NEED },
  guards: { approvals: { wait } },
});
const killed = new SallyportError('ERR_KILL_SWITCH', 'Everything was stopped.');
const stateOf = (store: ReturnType<typeof memoryStore>, runId: string) => store.kept.get(runId)?.run.state;

/** Budgets that keep what they were asked for and given back. */
function bookedBudgets() {
  const reserved: BudgetDemand[] = [];
  const settled: BudgetSpent[] = [];
  return {
    reserved,
    settled,
    check: () => undefined,
    reserve: async (demand: BudgetDemand) => {
      reserved.push(demand);
      return { settle: async (spent: BudgetSpent) => void settled.push(spent) };
    },
  };
}

/** The host of the fixture's call after its name was pointed elsewhere. */
function movedTo(address: string) {
  const { list, size } = pinnedHost('10.0.0.1');
  const moved = list.map((target) => ({ ...target, address, addresses: [address] }));
  return { list: moved, all: () => moved, one: () => moved[0] ?? assert.fail(), size };
}

test('every start and end is in the audit, each before what it records', async () => {
  const guards = openGuards();
  const store = memoryStore();
  const seen: string[] = [];
  const fixture = engineFixture({
    store,
    guards,
    run: async (command) => {
      seen.push(...guards.audited.map(({ type }) => type), `state ${stateOf(store, command.runId)}`);
      return EXECUTED;
    },
  });
  const { runId, ended } = await fixture.start();
  assert.deepEqual(guards.audited.map(({ type }) => type).slice(0, 1), ['run.accepted']);
  await ended;
  assert.deepEqual(seen, ['run.accepted', 'run.started', 'state running']);
  const last = guards.audited.at(-1);
  assert.equal(last?.type, 'run.ended');
  assert.equal(last.runId, runId);
  assert.equal(last.data?.['state'], 'succeeded');
  assert.ok(guards.audited.every(({ digest }) => digest === store.kept.get(runId)?.run.planDigest));
});

test('nothing is stored, taken or started when the audit cannot be written', async () => {
  const unavailable = () => {
    throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
  };
  for (const broken of ['requireWritable', 'append'] as const) {
    const guards = openGuards();
    const audit = { ...guards.audit, [broken]: unavailable };
    const fixture = engineFixture({ guards: { ...guards, audit } });
    await assert.rejects(fixture.start(), { code: 'ERR_AUDIT_UNAVAILABLE' });
    assert.equal(fixture.store.kept.size, 0, broken);
    assert.deepEqual(fixture.commands, []);
    assert.deepEqual(guards.audited, [], 'what cannot be written does not pile up');
  }
});

test('a start that cannot be audited gives its budgets back and ends the run without a process', async () => {
  const guards = openGuards();
  const budgets = bookedBudgets();
  const audit: typeof guards.audit = {
    ...guards.audit,
    append: async (event) => {
      if (event.type === 'run.started') throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The disk is full.');
      return guards.audit.append(event);
    },
  };
  const fixture = engineFixture({ guards: { audit, budgets } });
  const { ended, runId } = await fixture.start();
  await assert.rejects(ended, { code: 'ERR_AUDIT_UNAVAILABLE' });
  assert.deepEqual(fixture.commands, []);
  assert.deepEqual(budgets.settled, [{ runMs: 0, probes: 0, accounts: [] }]);
  assert.equal(stateOf(fixture.store, runId), 'failed');
});

test('a refused call is in the audit with its code and rule, and a message that shows no secret of the call', async () => {
  const guards = openGuards();
  const fixture = engineFixture({ guards, ceiling: 'observe' });
  await assert.rejects(fixture.start({ input: { host: '10.0.0.1', password: 'hunter22' } }));
  assert.equal(guards.audited.length, 1);
  assert.equal(guards.audited[0]?.type, 'run.refused');
  assert.equal(guards.audited[0].data?.['code'], 'ERR_RISK_TOO_HIGH');
  assert.equal(guards.audited[0].data['rule'], 'risk.tool');
  assert.doesNotMatch(JSON.stringify(guards.audited), /hunter22/);
});

test('a budget is reserved before the process and settled with what was taken before the end is told', async () => {
  const budgets = bookedBudgets();
  const fixture = engineFixture({ guards: { budgets } });
  const { ended, runId } = await fixture.start();
  const result = await ended;
  assert.deepEqual(
    budgets.reserved.map((demand) => [demand.runId, demand.engagement.id, demand.runMs]),
    [[runId, 'default', 10_000]],
  );
  assert.deepEqual(budgets.settled, [{ runMs: result.durationMs }]);
});

test('a budget that is spent when the turn comes ends the run by policy, and nothing runs', async () => {
  const spent = () => {
    throw new SallyportError('ERR_BUDGET_EXHAUSTED', 'No probes are left.', { retryAfterMs: 1000 });
  };
  const now = engineFixture({ guards: { budgets: { ...bookedBudgets(), check: spent } } });
  await assert.rejects(now.start(), { code: 'ERR_BUDGET_EXHAUSTED' });
  assert.equal(now.store.kept.size, 0);
  const later = engineFixture({ guards: { budgets: { ...bookedBudgets(), reserve: async () => spent() } } });
  const { ended, runId } = await later.start();
  await assert.rejects(ended, { code: 'ERR_BUDGET_EXHAUSTED' });
  assert.equal(stateOf(later.store, runId), 'ended_by_policy');
  assert.deepEqual(later.commands, []);
});

test('a run that needs consent is stored as awaiting it, takes no place, and starts when it has it', async () => {
  const consent = Promise.withResolvers<void>();
  const fixture = engineFixture({ ...needsConsent(() => consent.promise), places: 1 });
  const started = await fixture.start();
  const { ended, runId } = started;
  const waiting = await started.read();
  assert.equal(waiting.state, 'awaiting_approval');
  assert.equal(waiting.approval?.quorum, 1);
  assert.equal(Date.parse(waiting.approval.expiresAt) - Date.parse(waiting.createdAt), 60_000);
  assert.deepEqual(fixture.commands, []);
  consent.resolve();
  await ended;
  const events = fixture.store.kept.get(runId)?.events.filter(({ type }) => type === 'state');
  assert.deepEqual(
    events?.map(({ data }) => data['state']),
    ['awaiting_approval', 'queued', 'running', 'succeeded'],
  );
});

test('who leaves does not withdraw what waits for people; who cancels does', async () => {
  const leaving = new AbortController();
  const fixture = engineFixture(needsConsent(() => new Promise(() => undefined)));
  const { runId } = await fixture.start({ signal: leaving.signal });
  leaving.abort();
  assert.equal(stateOf(fixture.store, runId), 'awaiting_approval');
  const withSignal = engineFixture({
    sources: { need: () => NEED },
    guards: {
      approvals: {
        wait: (_run, signal) =>
          new Promise((_resolve, reject) => {
            const withdrawn = () => reject(new SallyportError('ERR_RUN_CANCELLED', 'It was withdrawn.'));
            signal.addEventListener('abort', withdrawn, { once: true });
          }),
      },
    },
  });
  const second = await withSignal.start();
  await withSignal.engine.runs.cancel(second.runId);
  assert.equal(stateOf(withSignal.store, second.runId), 'cancelled');
  await assert.rejects(second.ended, { code: 'ERR_RUN_CANCELLED' });
});

for (const code of ['ERR_APPROVAL_DENIED', 'ERR_APPROVAL_EXPIRED'] as const) {
  test(`a run whose consent ends with ${code} is ended by policy, and nothing runs`, async () => {
    const fixture = engineFixture(
      needsConsent(async () => {
        throw new SallyportError(code, 'No.');
      }),
    );
    const { ended, runId } = await fixture.start();
    await assert.rejects(ended, { code });
    assert.equal(stateOf(fixture.store, runId), 'ended_by_policy');
    assert.deepEqual(fixture.commands, []);
  });
}

test('what people consented to is what runs: a name that moved meanwhile ends the run', async () => {
  let address = '10.0.0.1';
  const consent = Promise.withResolvers<void>();
  let generation = 0;
  const fixture = engineFixture({
    ...needsConsent(() => consent.promise),
    policy: { pin: async () => movedTo(address) },
    generation: () => generation,
  });
  const { ended, runId } = await fixture.start();
  address = '10.0.0.66';
  generation = 1;
  consent.resolve();
  await assert.rejects(ended, { code: 'ERR_PLAN_RESOLUTION_CHANGED' });
  assert.equal(stateOf(fixture.store, runId), 'ended_by_policy');
  assert.deepEqual(fixture.commands, []);
});

test('a stop of the gateway leaves a run waiting for people, and the next life goes on waiting', async () => {
  const store = memoryStore();
  const first = engineFixture({ ...needsConsent(() => new Promise(() => undefined)), store });
  const { runId } = await first.start();
  await first.engine.settle();
  assert.equal(stateOf(store, runId), 'awaiting_approval');
  const consent = Promise.withResolvers<void>();
  const second = engineFixture({ ...needsConsent(() => consent.promise), store });
  await second.engine.recover();
  assert.equal(stateOf(store, runId), 'awaiting_approval');
  consent.resolve();
  await second.engine.runs.idle();
  assert.equal(stateOf(store, runId), 'succeeded');
  assert.equal(second.commands.length, 1);
});

test('a run that the policy ends while it runs keeps its partial result and says so everywhere', async () => {
  const held = heldProcess();
  const guards = openGuards();
  const fixture = engineFixture({ run: held.run, guards });
  const { ended, runId } = await fixture.start();
  await held.started;
  assert.equal(
    await fixture.engine.runs.endWhere(({ engagement }) => (engagement === 'other' ? killed : undefined)),
    0,
  );
  assert.equal(await fixture.engine.runs.endWhere(() => killed), 1);
  const error = await ended.then(
    () => assert.fail('it was a success'),
    (thrown: SallyportError) => thrown,
  );
  assert.equal(error.code, 'ERR_KILL_SWITCH');
  assert.partialDeepStrictEqual(error.details, { run: { outcome: 'ended_by_policy' } });
  const kept = fixture.store.kept.get(runId);
  assert.equal(kept?.run.state, 'ended_by_policy');
  assert.equal(kept.run.error?.code, 'ERR_KILL_SWITCH');
  assert.equal(kept.result?.outcome, 'ended_by_policy');
  assert.equal(kept.result.complete, false);
  assert.equal(guards.audited.at(-1)?.data?.['state'], 'ended_by_policy');
  assert.ok(fixture.recorder.lines.includes('sallyport_policy_ended_runs_total{ERR_KILL_SWITCH} 1'));
});

test('who cancelled before the policy did stays the one who ended it', async () => {
  const held = heldProcess();
  const fixture = engineFixture({ run: held.run });
  const { ended, runId } = await fixture.start();
  await held.started;
  const cancelled = fixture.engine.runs.cancel(runId);
  await fixture.engine.runs.endWhere(() => killed);
  await cancelled;
  await assert.rejects(ended, { code: 'ERR_RUN_CANCELLED' });
});

test('one key cannot keep more runs open than its quota', async () => {
  const held = heldProcess();
  const fixture = engineFixture({ run: held.run, guards: { quotas: () => ({ openRuns: 2 }) }, places: 1 });
  await fixture.start();
  await fixture.start();
  await assert.rejects(fixture.start(), { code: 'ERR_QUOTA_EXCEEDED' });
  const other = { ...caller, id: 'key-2' };
  await fixture.start({ principal: other });
  await fixture.engine.runs.endWhere(() => killed);
  await fixture.engine.runs.idle();
});

/** What a plan of the fixture's call is bound to. */
async function digestOfCall() {
  const { start } = engineFixture();
  const started = await start();
  await started.ended;
  const all = String((await started.read()).planDigest);
  return { all, targets: '', engagement: '', input: '', tool: '', rest: '' };
}

test('a run by plan id is exactly that plan: the same digest runs, another one is refused', async () => {
  const digests = await digestOfCall();
  const take = async () => ({ input: { host: '10.0.0.1' }, options: { engagement: 'default' }, digests });
  const same = engineFixture({ guards: { named: { take } } });
  const { ended } = await same.start({ input: undefined, run: { planId: 'plan_1' } });
  await ended;
  assert.equal(same.commands.length, 1);
  const moved = engineFixture({
    guards: { named: { take } },
    policy: { pin: async () => movedTo('10.0.0.9') },
  });
  await assert.rejects(moved.start({ input: undefined, run: { planId: 'plan_1' } }), (error: SallyportError) =>
    error.code.startsWith('ERR_PLAN_'),
  );
  assert.deepEqual(moved.commands, []);
  await assert.rejects(same.start({ input: undefined, run: { planId: 'plan_1', timeoutMs: 2000 } }), {
    code: 'ERR_PLAN_MISMATCH',
  });
});
