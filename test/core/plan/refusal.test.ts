import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatRegistry } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type PlanView, PlanViewSchema } from '../../../schemas/plan.ts';
import { chooseAmong, notOpen, unknownEngagement } from '../../../src/core/engagement/choose.ts';
import { type ErrorCode, SallyportError } from '../../../src/core/errors.ts';
import { PLAN_RULES } from '../../../src/core/plan/rules.ts';
import { NO_TRACE } from '../../../src/core/plan/trace.ts';
import { alice, planningWorld, sweep, type World } from './rig.ts';

FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)));
const NAME = 'db.lab.internal';

/** Rules whose refusals have nothing that may be done instead and no time at which they end: their message is all there is. */
const NOTHING_HELPS = new Set([
  'tool.enabled',
  'tool.available',
  'engagement.principal',
  'kill.switch',
  'engagement.revoked',
  'engagement.until',
  'target.spelling',
  'target.always-denied',
  'target.loopback',
  'target.own-address',
]);

function assertHelps({ refusal }: PlanView): void {
  assert.ok(refusal !== undefined);
  const helps = refusal.instead !== undefined || refusal.retryAfterMs !== undefined;
  assert.notEqual(helps, NOTHING_HELPS.has(refusal.rule), `${refusal.code} by ${refusal.rule}: ${refusal.message}`);
}

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
      assertHelps(view);
    });
  }

  it('by a port says "it" of one port and "them" of several', async (t) => {
    const { plan } = await planningWorld(t);
    const said = async (ports: string) => (await plan({ target: '10.0.0.1', ports })).refusal?.message ?? '';
    assert.match(await said('502'), /port 502 must not be touched; leave it out$/);
    assert.match(await said('500-502'), /port 502 must not be touched; leave it out$/);
  });

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
    const missing = await plan({ target: '10.0.0.1' });
    assert.equal(missing.refusal?.code, 'ERR_TOOL_UNAVAILABLE');
    registry.setEnabled('echo', false);
    const disabled = await plan({ target: '10.0.0.1' });
    assert.deepEqual([disabled.refusal?.code, disabled.refusal?.rule], ['ERR_TOOL_DISABLED', 'tool.enabled']);
    for (const view of [denied, missing, disabled]) assertHelps(view);
  });

  const end = '2026-12-01T00:00:00Z';
  const asThrown: readonly (readonly [Parameters<typeof by>[0], SallyportError])[] = [
    ['choose', unknownEngagement()],
    ['requireOpen', notOpen('acme', { state: 'expired', rule: 'engagement.until', why: `It ended at ${end}.` }, 0)],
    ['requireOpen', notOpen('acme', { state: 'revoked', rule: 'engagement.revoked', why: 'It is gone.' }, 0)],
    ...(['from', 'blackout', 'weekly'] as const).map(
      (rule) =>
        ['requireOpen', notOpen('acme', { state: 'closed', rule: `engagement.${rule}`, opensAt: 5000 }, 1000)] as const,
    ),
  ];
  for (const [where, error] of asThrown) {
    it(`by ${String(error.details?.['rule'])}, as it is thrown, says what may be done or until when to wait, or nothing helps`, async (t) => {
      const { plan } = await planningWorld(t, by(where, error));
      assertHelps(await plan({ target: '10.0.0.1' }));
    });
  }

  it('for want of the name of an engagement says which there are', async (t) => {
    const choose = () => chooseAmong([{ id: 'a' }, { id: 'b' }] as never[], undefined, NO_TRACE);
    const { plan } = await planningWorld(t, { engagements: { choose } });
    assert.equal((await plan({ target: '10.0.0.1' })).refusal?.instead, 'the same with run.engagement, one of a, b');
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
    await assert.rejects(plan({ target: '10.0.0.1' }), { code: 'ERR_INTERNAL' });
  });
});
