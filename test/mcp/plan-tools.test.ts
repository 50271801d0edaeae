import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import type { PlanView } from '../../schemas/plan.ts';
import { PlanToolOutput, ScopeToolOutput } from '../../schemas/plan-tool.ts';
import type { ScopeView } from '../../schemas/scope-view.ts';
import type { Scope } from '../../src/core/auth/types.ts';
import { SallyportError } from '../../src/core/errors.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { createValidator } from '../../src/core/tool/input-validator.ts';
import { createAnswers } from '../../src/mcp/answers.ts';
import type { PolicyDesk } from '../../src/mcp/plan-tools.ts';
import { planAnswer, scopeAnswer } from '../../src/mcp/plan-tool-answer.ts';
import type { ToolAnswer } from '../../src/mcp/run-answer.ts';
import { alice, planningWorld, type World } from '../core/plan/rig.ts';
import { FakeEngine } from '../fixtures/mcp/engine.ts';
import { FakeLog, HandClock } from '../fixtures/mcp/gateway.ts';
import { FakeRegistry } from '../fixtures/mcp/tools.ts';

const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
const ALL: readonly Scope[] = ['tools:read', 'runs:plan', 'runs:execute'];
const fitsPlan = createValidator(PlanToolOutput);
const fitsScope = createValidator(ScopeToolOutput);

const SCOPE: ScopeView = {
  principal: { id: 'key-1', name: 'alice', scopes: ['tools:read'] },
  killed: false,
  mustName: true,
  engagements: ['acme', 'default'].map((id) => ({
    id,
    title: id,
    state: 'open',
    allow: ['10.0.0.0/8'],
    deny: [],
    portsDeny: [],
    tools: ['dig', 'nmap'],
    risk: 'active',
    budgets: [{ budget: 'probesPerHour', limit: 10, used: 3, left: 7 }],
  })),
};

function answersOver(policy: PolicyDesk | undefined, scopes: readonly Scope[] = ALL) {
  const runs = new FakeEngine();
  const log = new FakeLog();
  const answers = createAnswers({
    registry: new FakeRegistry(),
    runs,
    history: runs.history,
    ...(policy === undefined ? {} : { policy }),
    inlineWaitMs: () => 0,
    log,
    clock: new HandClock(),
    version: '1',
    redactor: createRedactor(),
    progressIntervalMs: () => 1,
  });
  const caller = { principal: { ...alice, scopes: new Set(scopes) }, requestId: 'r', isSlow: () => false };
  const channel = { caller, signal: new AbortController().signal };
  const call = (name: string, args: object) => answers.callTool({ name, arguments: args }, channel);
  return { runs, call, names: () => answers.listTools({}, caller).tools.map(({ name }) => name), answers, caller };
}

async function setUp(t: TestContext, world: World = {}, scopes?: readonly Scope[]) {
  const made = await planningWorld(t, world);
  return { ...made, ...answersOver({ planner: made.planner, scopeOf: () => SCOPE }, scopes) };
}

const textOf = ({ content }: ToolAnswer) => content[0]?.text ?? '';
const codeOf = ({ _meta }: ToolAnswer) => (_meta?.['sallyport/error'] as { code: string } | undefined)?.code;
const realTokens = (given: ToolAnswer) =>
  encode(`${textOf(given)}${JSON.stringify(given.structuredContent ?? {})}`, PLAIN).length;

describe('the MCP tool plan', () => {
  it('answers what would run, with the way to run exactly that, and runs nothing', async (t) => {
    const { call, commands, runs } = await setUp(t);
    const given = await call('plan', { tool: 'echo', input: { target: '10.0.0.1' }, run: { timeoutMs: 5000 } });
    assert.equal(given.isError, undefined);
    const body = fitsPlan(given.structuredContent);
    assert.equal(body['decision'], 'allowed');
    assert.match(String(body['next']), new RegExp(`call echo with run.planId ${String(body['planId'])}`));
    assert.match(textOf(given), /^echo may run; nothing ran yet\. Risk active/);
    assert.deepEqual([commands.length, runs.requests.length], [0, 0]);
  });

  it('answers a refusal as a good answer that says what is allowed instead, and not to try variants', async (t) => {
    const { call } = await setUp(t);
    const given = await call('plan', { tool: 'echo', input: { target: '192.168.0.1' } });
    assert.equal(given.isError, undefined);
    const body = fitsPlan(given.structuredContent);
    assert.deepEqual([body['decision'], body['planId']], ['refused', null]);
    assert.match(textOf(given), /refused by target\.scope \(ERR_TARGET_OUT_OF_SCOPE\).*\. Allowed instead: targets in/);
    assert.match(String(body['next']), /Only the operator/);
  });

  it('answers bad arguments, bad input and unknown tools as results with isError', async (t) => {
    const { call } = await setUp(t);
    for (const args of [
      {},
      { tool: 'echo' },
      { tool: 'echo', input: { target: 7 } },
      { tool: 'echo', input: { target: '10.0.0.1' }, run: { planId: 'x' } },
      { tool: 'echo', input: { target: '10.0.0.1' }, maxTokens: 1 },
      { tool: 'rm', input: {} },
    ]) {
      const given = await call('plan', args);
      assert.deepEqual([given.isError, codeOf(given)], [true, 'ERR_INPUT_INVALID'], JSON.stringify(args));
    }
  });

  it('needs runs:plan, and says so to a key that may plan and not run', async (t) => {
    const { call, names } = await setUp(t, {}, ['tools:read', 'runs:execute']);
    assert.equal(codeOf(await call('plan', { tool: 'echo', input: {} })), 'ERR_AUTH_FORBIDDEN');
    assert.ok(!names().includes('plan') && names().includes('scope'));
    const planner = await setUp(t, {}, ['tools:read', 'runs:plan']);
    const given = await planner.call('plan', { tool: 'echo', input: { target: '10.0.0.1' } });
    assert.match(String(given.structuredContent?.['next']), /does not hold the scope runs:execute/);
  });

  it('says that another person has to approve', async (t) => {
    const need = { from: 'active', quorum: 1, ttlMs: 60_000, selfConfirm: false } as const;
    const { call } = await setUp(t, { sources: { need: () => need } });
    const given = await call('plan', { tool: 'echo', input: { target: '10.0.0.1' } });
    assert.equal(given.structuredContent?.['decision'], 'needs_approval');
    assert.match(String(given.structuredContent['next']), /waits for another person/);
  });

  it('hides the secrets of the call', async (t) => {
    const { call } = await setUp(t);
    const given = await call('plan', { tool: 'echo', input: { target: '10.0.0.1', password: 'Tr0ub4dor&3' } });
    assert.doesNotMatch(JSON.stringify(given), /Tr0ub4dor/);
  });
});

describe('the MCP tool scope', () => {
  it('answers what the caller may do', async (t) => {
    const { call } = await setUp(t);
    const given = await call('scope', {});
    assert.deepEqual(fitsScope(given.structuredContent)['engagements'], SCOPE.engagements);
    assert.match(textOf(given), /acme: open, risk up to active; targets 10\.0\.0\.0\/8; tools dig, nmap/);
    assert.equal(codeOf(await call('scope', { more: 1 })), 'ERR_INPUT_INVALID');
  });

  it('says first when nothing runs', () => {
    const given = scopeAnswer({ ...SCOPE, killed: true }, 4000);
    assert.match(textOf(given), /^The kill switch is on: nothing runs\./);
    assert.equal(given.structuredContent?.['killed'], true);
  });
});

it('both tools together cost a model’s context little', () => {
  const { answers, caller } = answersOver({
    planner: { plan: () => Promise.reject(new SallyportError('ERR_INTERNAL', 'x')) },
    scopeOf: () => SCOPE,
  });
  const entries = answers.listTools({}, caller).tools.filter(({ name }) => name === 'plan' || name === 'scope');
  assert.equal(entries.length, 2);
  assert.ok(entries.every(({ annotations }) => annotations.readOnlyHint && !annotations.openWorldHint));
  const tokens = encode(JSON.stringify(entries)).length;
  assert.ok(tokens < 800, `${tokens} tokens`);
});

it('without planner and scope neither tool is listed, and their names stay reserved', async () => {
  const { names, call } = answersOver(undefined);
  assert.ok(!names().includes('plan') && !names().includes('scope'));
  await assert.rejects(call('plan', { tool: 'echo', input: {} }));
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2000 }),
  fc.constantFrom('漏洞'.repeat(500), '\u202e\u{e0041}'.repeat(300), 'kD9/+'.repeat(600), ''),
);
const budgets = fc.constantFrom(500, 700, 1500, 4000, 20_000);

it('whatever a plan or a scope holds, its answer stays within its budget as a real tokenizer counts', () => {
  fc.assert(
    fc.property(hostile, fc.nat(24), budgets, (text, count, tokens) => {
      const list = Array.from({ length: count }, () => text);
      const target = { role: text, given: text, canonical: text, addresses: list.slice(0, 5), addressCount: '1' };
      const view: PlanView = {
        planId: 'plan_0b1f9c52-0000-4000-8000-0123456789ab',
        tool: 'nmap',
        decision: count % 2 === 0 ? 'allowed' : 'refused',
        digest: 'f'.repeat(64),
        engagement: { id: 'a'.repeat(64), version: '0123456789abcdef' },
        ...(count % 2 === 0
          ? {}
          : { refusal: { code: 'ERR_TARGET_OUT_OF_SCOPE', rule: 'target.scope', message: text, instead: text } }),
        argv: list,
        targets: list.map(() => target),
        degraded: list,
        rules: list.map((datum) => ({ rule: 'target.scope', outcome: 'passed', field: 'target', datum })),
        createdAt: new Date(0).toISOString(),
      };
      const planned = planAnswer(view, { ...alice, scopes: new Set(ALL) }, tokens);
      fitsPlan(planned.structuredContent);
      assert.equal(planned.structuredContent?.['planId'], view.planId, 'an id is never cut');
      assert.ok(realTokens(planned) <= tokens, `${realTokens(planned)} of ${tokens}`);
      const [first] = SCOPE.engagements;
      assert.ok(first !== undefined);
      const many = Array.from({ length: count }, () => ({ ...first, title: text, allow: list, why: text }));
      const scoped = scopeAnswer({ ...SCOPE, engagements: many }, tokens);
      fitsScope(scoped.structuredContent);
      assert.ok(realTokens(scoped) <= tokens, `${realTokens(scoped)} of ${tokens}`);
    }),
    { numRuns: 40 },
  );
});
