import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatRegistry } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { PlanViewSchema } from '../../../schemas/plan.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { MAX_OPEN_PLANS } from '../../../src/core/plan/plan-room.ts';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { alice, bob, planningWorld, sweep } from './rig.ts';

FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)));
const NAME = 'db.lab.internal';

describe('a plan', () => {
  it('says exactly what would run, on whom, what it takes and why it may', async (t) => {
    const { plan, commands } = await planningWorld(t, { names: { [NAME]: ['10.0.0.5', '10.0.0.6'] } });
    const view = await plan({ target: NAME, ports: '22,80' });
    assert.ok(Value.Check(PlanViewSchema, view), JSON.stringify([...Value.Errors(PlanViewSchema, view)]));
    assert.equal(view.decision, 'allowed');
    assert.deepEqual(view.argv, ['/usr/bin/echo', '-n', '-r', '2', '10.0.0.5']);
    assert.deepEqual(view.targets, [
      { role: 'target', given: NAME, canonical: NAME, addresses: ['10.0.0.5', '10.0.0.6'], addressCount: '1' },
    ]);
    assert.deepEqual(view.size, { addresses: '1', ports: 2, probes: '2' });
    assert.deepEqual(view.estimate, { probes: 2, packetsPerSecond: 10, durationMs: 200, guesses: 7 });
    assert.deepEqual(view.risk, { level: 'active', ceiling: 'active', raisedBy: [] });
    assert.deepEqual(view.engagement, { id: 'default', version: 'aaaaaaaaaaaaaaaa' });
    assert.match(view.digest ?? '', /^[0-9a-f]{64}$/);
    assert.equal(commands.length, 0, 'nothing ran');
  });

  it('is the same when its run starts: the run has its digest, argv and targets', async (t) => {
    const { plan, start } = await planningWorld(t);
    const view = await plan({ target: '10.0.0.1' });
    const run = await (await start({ input: undefined, run: { planId: view.planId ?? '' } })).read();
    assert.equal(run.planDigest, view.digest);
    assert.deepEqual(run.argv, view.argv);
  });

  it('has one digest for the same call, and another one for any change', async (t) => {
    const { plan, names, standing } = await planningWorld(t, { names: { [NAME]: ['10.0.0.5'] } });
    const digest = async (input: object, run = {}) => (await plan(input, { run })).digest;
    const first = await digest({ target: NAME });
    assert.equal(await digest({ target: NAME }), first);
    assert.equal(await digest({ target: NAME, retries: 2 }), first, 'a default that is written out');
    const others = [
      await digest({ target: '10.0.0.5' }),
      await digest({ target: NAME, retries: 3 }),
      await digest({ target: NAME, ports: '81' }),
      await digest({ target: NAME, password: 'x1' }),
      await digest({ target: NAME, password: 'x2' }),
      await digest({ target: NAME }, { timeoutMs: 5000 }),
    ];
    names[NAME] = ['10.0.0.5', '10.0.0.6'];
    others.push(await digest({ target: NAME }));
    names[NAME] = ['10.0.0.5'];
    standing.version = 'bbbbbbbbbbbbbbbb';
    others.push(await digest({ target: NAME }));
    assert.equal(new Set([first, ...others]).size, others.length + 1);
  });

  it('says what is expected and what targets can draw out at most', async (t) => {
    const estimate = () => ({ probes: 2, mostProbes: 7, packetsPerSecond: 10, durationMs: 200 });
    const { plan } = await planningWorld(t, { tool: { ...sweep, estimate } });
    const view = await plan({ target: '10.0.0.1' });
    assert.deepEqual(view.estimate, estimate());
    assert.ok(Value.Check(PlanViewSchema, view));
    const endless = { ...sweep, estimate: () => ({ ...estimate(), mostProbes: Number.POSITIVE_INFINITY }) };
    assert.equal((await (await planningWorld(t, { tool: endless })).plan({ target: '10.0.0.1' })).estimate, undefined);
  });

  it('that needs consent says from whom on and how much of it', async (t) => {
    const need = { from: 'active', quorum: 2, ttlMs: 90_000, selfConfirm: false } as const;
    const { plan } = await planningWorld(t, { sources: { need: () => need } });
    const view = await plan({ target: '10.0.0.1' });
    assert.equal(view.decision, 'needs_approval');
    assert.deepEqual(view.approval, { from: 'active', quorum: 2, ttlMinutes: 2, selfConfirm: false });
    assert.notEqual(view.planId, null);
  });

  it('whose tool cannot say what it takes has no estimate instead of an endless one', async (t) => {
    const { estimate: _, ...unknown } = sweep;
    const { plan } = await planningWorld(t, { tool: unknown });
    const view = await plan({ target: '10.0.0.1' });
    assert.equal(view.decision, 'allowed');
    assert.equal(view.estimate, undefined);
    assert.ok(Value.Check(PlanViewSchema, JSON.parse(JSON.stringify(view))));
  });

  it('touches no target and asks the resolver of names in scope only', async (t) => {
    const { plan, asked, commands } = await planningWorld(t, { names: { [NAME]: ['10.0.0.5'] } });
    await plan({ target: NAME });
    for (const target of ['intranet.example.com', 'db.lab.internal.evil.com', 'xlab.internal', 'a..lab.internal']) {
      assert.equal((await plan({ target })).decision, 'refused', target);
    }
    assert.deepEqual(asked, [NAME]);
    assert.equal(commands.length, 0);
  });

  it('of a name that does not exist is refused exactly as one that cannot be resolved', async (t) => {
    const { plan } = await planningWorld(t);
    const view = await plan({ target: 'gone.lab.internal' });
    assert.equal(view.refusal?.code, 'ERR_TARGET_UNRESOLVED');
    assert.equal(view.refusal.rule, 'target.unresolved');
  });
});

describe('the audit of a plan', () => {
  it('is written before the answer, masked, with what was decided and by which rules', async (t) => {
    const { plan, audited } = await planningWorld(t);
    const made = await plan({ target: '10.0.0.1', password: 'Tr0ub4dor&3' });
    const refused = await plan({ target: '10.99.0.1', password: 'Tr0ub4dor&3' });
    assert.deepEqual(
      audited.map(({ type }) => type),
      ['plan.made', 'plan.refused'],
    );
    const [first, second] = audited;
    assert.deepEqual([first?.principal, first?.requestId, first?.digest], ['key-1', 'req-1', made.digest]);
    assert.deepEqual(first?.data?.['argv'], made.argv);
    assert.equal(second?.data?.['rule'], refused.refusal?.rule);
    assert.ok(!JSON.stringify(audited).includes('Tr0ub4dor'));
    assert.ok(!JSON.stringify([made, refused]).includes('Tr0ub4dor'));
  });

  it('that cannot be written makes no plan', async (t) => {
    const down = new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
    const audit = { requireWritable: () => undefined, note: () => undefined, append: () => Promise.reject(down) };
    const { plan, planner, realStore } = await planningWorld(t, { planner: { audit, newId: () => 'plan_a' } });
    await assert.rejects(plan({ target: '10.0.0.1' }), { code: 'ERR_AUDIT_UNAVAILABLE' });
    assert.equal(await realStore.plans.get('plan_a'), undefined);
    await assert.rejects(planner.get(alice, 'plan_a'), { code: 'ERR_PLAN_UNKNOWN' });
  });

  it('has questions without a decision too', async (t) => {
    const { plan, audited } = await planningWorld(t);
    await plan({ target: 7 }).catch(() => undefined);
    assert.deepEqual([audited[0]?.type, audited[0]?.data?.['code']], ['plan.refused', 'ERR_INPUT_INVALID']);
  });
});

it('one key cannot fill the disk with plans, and others do not notice; refused ones cost nothing', async (t) => {
  const store = { put: async () => undefined, get: async () => undefined, sweep: async () => 0 };
  const { plan, planner, clock } = await planningWorld(t, { planner: { store } });
  for (let at = 0; at < 5; at += 1) await plan({ target: '10.99.0.1' });
  for (let at = 0; at < MAX_OPEN_PLANS; at += 1) await plan({ target: '10.0.0.1' });
  await assert.rejects(plan({ target: '10.0.0.1' }), (thrown: SallyportError) => {
    assert.equal(thrown.code, 'ERR_QUOTA_EXCEEDED');
    assert.ok((thrown.retryAfterMs ?? 0) > 0);
    return true;
  });
  await planner.plan(bob, { tool: 'echo', input: { target: '10.0.0.1' }, requestId: 'r' });
  clock.at += 60_000;
  assert.equal((await plan({ target: '10.0.0.1' })).decision, 'allowed');
});

it('what the reader’s own runs found is masked in a plan, when it is made and when it is read again', async (t) => {
  const { plan, planner, redactor, names } = await planningWorld(t, {
    names: { 'hunter2hunter.lab.internal': ['10.0.0.1'] },
  });
  assert.ok(names['hunter2hunter.lab.internal']);
  const before = await plan({ target: 'hunter2hunter.lab.internal' });
  assert.match(JSON.stringify(before), /hunter2hunter/);
  redactor.keepFound('key-1', 'hunter2hunter');
  const after = await plan({ target: 'hunter2hunter.lab.internal' });
  const again = await planner.get(alice, before.planId ?? '');
  for (const view of [after, again]) assert.doesNotMatch(JSON.stringify(view), /hunter2hunter/);
});

it('a trace that fails with an unknown thing stays as it is', () => {
  const trace = createTrace();
  trace.fail(new Error('not ours'));
  assert.deepEqual(trace.entries, []);
});
