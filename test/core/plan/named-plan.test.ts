import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { notOpen } from '../../../src/core/engagement/choose.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { HOUR, makeBudgets } from '../budget/rig.ts';
import { alice, bob, planningWorld } from './rig.ts';

const IN = { target: '10.0.0.1', password: 'hunter2' };
const asked = { tool: 'echo', input: undefined };

async function thrownBy(promise: Promise<unknown>): Promise<SallyportError> {
  const thrown = await promise.then(
    () => assert.fail('was not refused'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof SallyportError, String(thrown));
  return thrown;
}

describe('a plan that is run by its id', () => {
  it('has the input that was planned, with the engagement bound', async (t) => {
    const { plan, planner } = await planningWorld(t);
    const { planId, digest } = await plan(IN, { run: { timeoutMs: 5000, waitMs: 0 } });
    const named = await planner.take(alice, planId ?? '', asked);
    assert.deepEqual(named.input, { ...IN, retries: 2 });
    assert.deepEqual(named.options, { engagement: 'default', timeoutMs: 5000 });
    assert.equal(named.digests.all, digest);
  });

  it('of somebody else answers exactly as one that does not exist, for reading and for running', async (t) => {
    const { plan, planner } = await planningWorld(t);
    const { planId } = await plan(IN);
    const answers = [];
    for (const id of [planId ?? '', 'plan_none', '../../etc', 'x'.repeat(500)]) {
      for (const thrown of [await thrownBy(planner.take(bob, id, asked)), await thrownBy(planner.get(bob, id))])
        answers.push(JSON.stringify([thrown.code, thrown.message, thrown.details]));
    }
    assert.equal(new Set(answers).size, 1);
    assert.match(answers[0] ?? '', /ERR_PLAN_UNKNOWN/);
  });

  it('runs once: one of two runs at the same moment, and none after it, also after a restart', async (t) => {
    const { plan, planner, start } = await planningWorld(t);
    const planId = (await plan(IN)).planId ?? '';
    const both = await Promise.allSettled([
      start({ input: undefined, run: { planId } }),
      start({ input: undefined, run: { planId } }),
    ]);
    const codes = both.map((each) => (each.status === 'rejected' ? (each.reason as SallyportError).code : 'started'));
    assert.deepEqual(codes.sort(), ['ERR_PLAN_USED', 'started']);
    assert.equal((await thrownBy(planner.take(alice, planId, asked))).code, 'ERR_PLAN_USED');
    assert.equal((await planner.get(alice, planId)).planId, planId, 'it can still be read');
  });

  it('is not used up by a run that is refused', async (t) => {
    const { plan, start, names } = await planningWorld(t, { names: { 'db.lab.internal': ['10.0.0.5'] } });
    const planId = (await plan({ target: 'db.lab.internal' })).planId ?? '';
    names['db.lab.internal'] = ['10.0.0.6'];
    const run = { input: undefined, run: { planId } };
    assert.equal((await thrownBy(start(run))).code, 'ERR_PLAN_RESOLUTION_CHANGED');
    names['db.lab.internal'] = ['10.0.0.5'];
    await (await start(run)).ended;
  });

  it('is refused when the operator changed its engagement meanwhile', async (t) => {
    const { plan, start, standing } = await planningWorld(t);
    const planId = (await plan(IN)).planId ?? '';
    standing.version = 'bbbbbbbbbbbbbbbb';
    assert.equal((await thrownBy(start({ input: undefined, run: { planId } }))).code, 'ERR_PLAN_ENGAGEMENT_CHANGED');
  });

  it('is refused when its tool was exchanged for another version, before a process starts', async (t) => {
    const { plan, start, registry, commands } = await planningWorld(t);
    const planId = (await plan(IN)).planId ?? '';
    const available = { available: true, path: '/usr/bin/echo', version: '9', probedAt: 1 } as const;
    registry.setAvailability('echo', { ...available, version: '10' });
    const thrown = await thrownBy(start({ input: undefined, run: { planId } }));
    assert.equal(thrown.code, 'ERR_PLAN_CHANGED');
    assert.deepEqual(thrown.details?.['changed'], ['tool']);
    assert.equal(commands.length, 0);
    registry.setAvailability('echo', available);
    await (await start({ input: undefined, run: { planId } })).ended;
    assert.equal(commands.length, 1);
  });

  it('permits nothing by itself: a window that closed refuses it, and it can be run when it is open again', async (t) => {
    let isOpen = true;
    const requireOpen = () => {
      if (!isOpen) throw notOpen('acme', { state: 'closed', rule: 'engagement.weekly', opensAt: 5000 }, 1000);
    };
    const { plan, start, commands } = await planningWorld(t, { engagements: { requireOpen } });
    const run = { input: undefined, run: { planId: (await plan(IN)).planId ?? '' } };
    isOpen = false;
    const thrown = await thrownBy(start(run));
    assert.deepEqual([thrown.code, thrown.details?.['rule']], ['ERR_ENGAGEMENT_NOT_OPEN', 'engagement.weekly']);
    assert.equal(commands.length, 0);
    isOpen = true;
    await (await start(run)).ended;
    assert.equal(commands.length, 1);
  });

  it('holds no budget: one that was spent meanwhile refuses it, and it can be run when there is room again', async (t) => {
    const { budgets, clock } = await makeBudgets();
    const engagement = { budgets: { probesPerHour: 1 } };
    const { plan, start, commands } = await planningWorld(t, { budgets, engagement });
    const runs = [];
    for (let at = 0; at < 2; at += 1) runs.push({ input: undefined, run: { planId: (await plan(IN)).planId ?? '' } });
    const [first, second] = runs;
    await (await start(first)).ended;
    const thrown = await thrownBy(start(second));
    assert.deepEqual([thrown.code, thrown.details?.['rule']], ['ERR_BUDGET_EXHAUSTED', 'budget.probes-per-hour']);
    assert.equal(commands.length, 1, 'no process started');
    clock.advance(HOUR);
    await (await start(second)).ended;
    assert.equal((await thrownBy(start(second))).code, 'ERR_PLAN_USED');
  });

  it('expires, and its input is gone from then on', async (t) => {
    const { plan, planner, clock, realStore } = await planningWorld(t);
    const planId = (await plan(IN)).planId ?? '';
    clock.at += 59_999;
    await planner.take(alice, planId, asked);
    clock.at += 1;
    assert.equal((await thrownBy(planner.take(alice, planId, asked))).code, 'ERR_PLAN_EXPIRED');
    clock.at += 1;
    assert.equal(await planner.sweep(), 1);
    assert.equal(await planner.sweep(), 0);
    assert.equal((await thrownBy(planner.take(alice, planId, asked))).code, 'ERR_PLAN_EXPIRED');
    // A clock that is set back revives nothing.
    clock.at -= 60_000;
    assert.equal((await thrownBy(planner.take(alice, planId, asked))).code, 'ERR_PLAN_EXPIRED');
    assert.deepEqual((await realStore.plans.get(planId))?.input, {});
  });

  it('belongs to its tool and its input: the same in other words is the same, anything else is not', async (t) => {
    const { plan, planner } = await planningWorld(t);
    const planId = (await plan(IN)).planId ?? '';
    for (const same of [undefined, null, {}, IN, { ...IN, retries: 2 }])
      await planner.take(alice, planId, { tool: 'echo', input: same });
    for (const other of [{ ...IN, retries: 3 }, { target: '10.0.0.1' }, { ...IN, more: 1 }, [], 'x', 7, { a: 1 }]) {
      if (Array.isArray(other)) continue;
      const thrown = await thrownBy(planner.take(alice, planId, { tool: 'echo', input: other }));
      assert.equal(thrown.code, 'ERR_PLAN_MISMATCH', JSON.stringify(other));
      assert.ok(!thrown.message.includes('hunter2'));
    }
    const elsewhere = await thrownBy(planner.take(alice, planId, { tool: 'nmap', input: undefined }));
    assert.deepEqual([elsewhere.code, elsewhere.details?.['field']], ['ERR_PLAN_MISMATCH', 'tool']);
  });
});
