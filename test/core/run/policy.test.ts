import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BudgetDemand, BudgetSpent } from '../../../src/core/budget/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import type { AnyTool } from '../../../src/core/tool/definition.ts';
import { caller, echo, engineFixture, type FixtureOptions } from '../../fixtures/engine.ts';
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

/** A tool whose parser throws at the end. */
const brokenTool: AnyTool = {
  ...echo,
  parse: () => ({
    stdout: () => undefined,
    end: () => {
      throw new Error('a target made it so');
    },
  }),
};

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

test('many calls of one key at once do not get past its quota, and a refused call gives its place back', async () => {
  const held = heldProcess();
  const fixture = engineFixture({ run: held.run, guards: { quotas: () => ({ openRuns: 3 }) }, places: 1 });
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => fixture.start()));
  assert.equal(calls.filter(({ status }) => status === 'fulfilled').length, 3);
  await fixture.engine.runs.endWhere(() => killed);
  await fixture.engine.runs.idle();
  const refused = Array.from({ length: 5 }, () => fixture.start({ input: { host: '-x' } }));
  await Promise.allSettled(refused);
  held.letGo();
  await (await fixture.start()).ended;
});

test('a process whose answer cannot be read counts against the budget; what never started does not', async () => {
  const budgets = bookedBudgets();
  const broken = engineFixture({
    guards: { budgets },
    run: async () => ({ ...EXECUTED, durationMs: 70 }),
    tool: brokenTool,
  });
  await assert.rejects((await broken.start()).ended);
  assert.deepEqual(budgets.settled, [{ runMs: 70 }]);
  const none = bookedBudgets();
  const startFault = { code: 'ENOENT', message: 'gone' };
  const unstarted = engineFixture({ guards: { budgets: none }, ending: { ending: 'not_started', startFault } });
  await assert.rejects((await unstarted.start()).ended);
  assert.deepEqual(none.settled, [{ runMs: 0, probes: 0, accounts: [] }]);
});

test('a run that is refused after its start was written claims no process', async () => {
  let isOpen = true;
  const guards = openGuards();
  const fixture = engineFixture({
    guards: {
      audit: {
        ...guards.audit,
        append: async (event) => {
          if (event.type === 'run.started') isOpen = false;
          return guards.audit.append(event);
        },
      },
    },
    sources: {
      killSwitch: {
        check: () => {
          if (!isOpen) throw killed;
        },
      },
    },
  });
  const { ended, runId } = await fixture.start();
  await assert.rejects(ended, { code: 'ERR_KILL_SWITCH' });
  const run = fixture.store.kept.get(runId)?.run;
  assert.equal(run?.state, 'ended_by_policy');
  assert.equal(run.startedAt, null);
  assert.deepEqual(fixture.commands, []);
});

test('an idempotency key whose run never ran starts anew once the policy lets it, and a denial stays an answer', async () => {
  const spent = new SallyportError('ERR_BUDGET_EXHAUSTED', 'No probes are left.');
  let isSpent = true;
  const budgets = bookedBudgets();
  const fixture = engineFixture({
    guards: {
      budgets: {
        ...budgets,
        reserve: async (demand) => {
          if (isSpent) throw spent;
          return budgets.reserve(demand);
        },
      },
    },
  });
  const first = await fixture.start({ idempotencyKey: 'k' });
  await assert.rejects(first.ended, { code: 'ERR_BUDGET_EXHAUSTED' });
  isSpent = false;
  const second = await fixture.start({ idempotencyKey: 'k' });
  assert.equal(second.isNew, true);
  await second.ended;
  const denied = engineFixture(
    needsConsent(async () => {
      throw new SallyportError('ERR_APPROVAL_DENIED', 'No.');
    }),
  );
  const asked = await denied.start({ idempotencyKey: 'k' });
  await assert.rejects(asked.ended);
  assert.equal((await denied.start({ idempotencyKey: 'k' })).isNew, false);
});
