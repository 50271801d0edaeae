import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatRegistry } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { PlanViewSchema } from '../../../schemas/plan.ts';
import { type ErrorCode, SallyportError } from '../../../src/core/errors.ts';
import { MAX_OPEN_PLANS } from '../../../src/core/plan/plan-room.ts';
import { PLAN_RULES } from '../../../src/core/plan/rules.ts';
import { createTrace } from '../../../src/core/plan/trace.ts';
import { alice, bob, planningWorld, sweep, type World } from './rig.ts';

FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)));
const NAME = 'db.lab.internal';
const code = (thrown: unknown): string => (thrown instanceof SallyportError ? thrown.code : String(thrown));

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

describe('a refusal', () => {
  const cases: readonly (readonly [code: string, rule: string, input: object, world: World])[] = [
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.scope', { target: '192.168.0.1' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.deny', { target: '10.99.0.1' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.ports-denied', { target: '10.0.0.1', ports: '502' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.always-denied', { target: '169.254.169.254' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.loopback', { target: '127.0.0.1' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.own-address', { target: '10.1.1.1' }, {}],
    ['ERR_TARGET_OUT_OF_SCOPE', 'target.resolver', { target: '10.0.0.1', server: '192.168.0.1' }, {}],
    ['ERR_TARGET_INVALID', 'target.spelling', { target: '0177.1' }, {}],
    ['ERR_TARGET_TOO_LARGE', 'target.size', { target: '10.0.0.0/16' }, {}],
    ['ERR_TARGET_UNRESOLVED', 'target.unresolved', { target: NAME }, {}],
    ['ERR_RISK_TOO_HIGH', 'risk.option', { target: '10.0.0.1', loud: true }, {}],
    ['ERR_RISK_TOO_HIGH', 'risk.tool', { target: '10.0.0.1' }, { engagement: { risk: 'observe' } }],
  ];
  for (const [wanted, rule, input, world] of cases) {
    it(`by ${rule} is a good answer with its code, its rule and no plan`, async (t) => {
      const { plan, recorder } = await planningWorld(t, world);
      const view = await plan(input);
      assert.ok(Value.Check(PlanViewSchema, view), JSON.stringify([...Value.Errors(PlanViewSchema, view)]));
      assert.deepEqual([view.decision, view.planId, view.digest], ['refused', null, undefined]);
      assert.deepEqual([view.refusal?.code, view.refusal?.rule], [wanted, rule]);
      const failed = view.rules.filter(({ outcome }) => outcome === 'failed');
      assert.deepEqual(
        failed.map((entry) => entry.rule),
        [rule],
      );
      assert.ok(recorder.lines.includes('sallyport_plans_total{echo,refused} 1'));
    });
  }

  const throwing = (error: SallyportError) => () => {
    throw error;
  };
  const by = (where: 'choose' | 'requireOpen' | 'kill' | 'budget', error: SallyportError): World => {
    if (where === 'kill') return { sources: { killSwitch: { check: throwing(error) } } };
    if (where === 'budget') return { budgets: { check: throwing(error) } };
    return { engagements: { [where]: throwing(error) } };
  };
  const refused = (thrown: ErrorCode, rule: string, more: object = {}) =>
    new SallyportError(thrown, 'x', { details: { rule, ...more }, retryAfterMs: 1234.5 });
  const elsewhere: readonly (readonly [Parameters<typeof by>[0], SallyportError, instead?: string])[] = [
    ['choose', refused('ERR_ENGAGEMENT_UNKNOWN', 'engagement.principal')],
    [
      'choose',
      refused('ERR_ENGAGEMENT_REQUIRED', 'engagement.principal', { engagements: ['a', 'b'] }),
      'the same with run.engagement, one of a, b',
    ],
    ['requireOpen', refused('ERR_ENGAGEMENT_NOT_OPEN', 'engagement.weekly')],
    ['requireOpen', refused('ERR_ENGAGEMENT_EXPIRED', 'engagement.until')],
    ['requireOpen', refused('ERR_ENGAGEMENT_REVOKED', 'engagement.revoked')],
    ['kill', refused('ERR_KILL_SWITCH', 'kill.switch')],
    ['budget', refused('ERR_BUDGET_EXHAUSTED', 'budget.probes-per-hour')],
  ];
  for (const [where, error, instead] of elsewhere) {
    it(`with ${error.code} is a good answer with its rule, and says when to come back`, async (t) => {
      const { plan } = await planningWorld(t, by(where, error));
      const view = await plan({ target: '10.0.0.1' });
      const rule = error.details?.['rule'];
      const wanted = { code: error.code, rule, message: 'x', retryAfterMs: 1235, ...(instead && { instead }) };
      assert.deepEqual([view.decision, view.refusal], ['refused', wanted]);
      assert.ok(PLAN_RULES.includes(String(rule)), `${String(rule)} is in the closed list`);
    });
  }

  it('by the tool of the engagement, a disabled or a missing tool says which', async (t) => {
    const world = { engagement: { tools: { allow: ['dig'] } }, engagements: { allowsTool: () => false } };
    const { plan, registry } = await planningWorld(t, world);
    const denied = await plan({ target: '10.0.0.1' });
    assert.deepEqual([denied.refusal?.code, denied.refusal?.rule], ['ERR_ENGAGEMENT_TOOL_DENIED', 'engagement.tools']);
    assert.equal(denied.refusal?.instead, 'tools: dig');
    registry.setAvailability('echo', { available: false, fault: 'not here', probedAt: 1 });
    assert.equal((await plan({ target: '10.0.0.1' })).refusal?.code, 'ERR_TOOL_UNAVAILABLE');
    registry.setEnabled('echo', false);
    const disabled = await plan({ target: '10.0.0.1' });
    assert.deepEqual([disabled.refusal?.code, disabled.refusal?.rule], ['ERR_TOOL_DISABLED', 'tool.enabled']);
  });

  it('by a budget still shows what was planned', async (t) => {
    const { plan } = await planningWorld(t, by('budget', refused('ERR_BUDGET_EXHAUSTED', 'budget.probes-per-hour')));
    const view = await plan({ target: '10.0.0.1' });
    assert.deepEqual([view.decision, view.planId, view.digest], ['refused', null, undefined]);
    assert.equal(view.estimate?.probes, 1);
  });

  it('is no answer for what is no decision: input, time limit, a plan of a plan, another tool', async (t) => {
    const { plan, planner } = await planningWorld(t);
    await assert.rejects(plan({ target: 7 }), { code: 'ERR_INPUT_INVALID' });
    await assert.rejects(plan({ target: '10.0.0.1', more: 1 }), { code: 'ERR_INPUT_INVALID' });
    await assert.rejects(plan({ target: '10.0.0.1' }, { run: { timeoutMs: 19_000 } }), { code: 'ERR_INPUT_INVALID' });
    await assert.rejects(plan({ target: '10.0.0.1' }, { run: { planId: 'plan_x' } }), { code: 'ERR_INPUT_INVALID' });
    await assert.rejects(planner.plan(alice, { tool: 'rm', input: {}, requestId: 'r' }), { code: 'ERR_TOOL_UNKNOWN' });
  });

  it('says so when a tool would keep a secret that no plan can have found', async (t) => {
    const thief = {
      ...sweep,
      argv: (_input: unknown, _pinned: unknown, context: { keepSecret(s: object): string }) => [
        context.keepSecret({ kind: 'password', value: 'hunter2' }),
      ],
    } as unknown as typeof sweep;
    const { plan } = await planningWorld(t, { tool: thief });
    assert.equal(code(await plan({ target: '10.0.0.1' }).catch((thrown: unknown) => thrown)), 'ERR_INTERNAL');
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
