import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { Type } from '@sinclair/typebox';
import type { PlanView } from '../../schemas/plan.ts';
import type { Run } from '../../schemas/run-record.ts';
import type { RunResult } from '../../schemas/run.ts';
import { PLAN_RULES } from '../../src/core/plan/rules.ts';
import { defineTool } from '../../src/core/tool/definition.ts';
import { echoTool, startTestGateway } from '../fixtures/gateway.ts';

const PASSWORD = 'Tr0ub4dor-and-3';

/** Prints an address and a password; contacts nobody. */
const knock = defineTool({
  ...echoTool,
  name: 'knock',
  risk: 'active',
  input: Type.Object(
    {
      host: Type.String({ maxLength: 100, description: 'whom' }),
      password: Type.Optional(Type.String({ pattern: '^[^-]', maxLength: 100, description: 'a secret' })),
    },
    { additionalProperties: false },
  ),
  targets: (input) => [{ role: 'host', kind: 'host', value: input['host'] as string }],
  grammar: { options: { '-n': /^.+$/ }, operands: 'address' },
  argv: (input, pinned) => ['-n', (input['password'] ?? 'none') as string, pinned.one('host').address],
  secrets: ['password'],
} as Parameters<typeof defineTool>[0]);

async function setUp(t: TestContext) {
  const made = await startTestGateway(t, { tools: [knock, echoTool] });
  const { app, headers } = made;
  const ask = async (route: string, payload?: object, as = headers) => {
    const [method, url] = route.split(' ') as ['GET' | 'POST', string];
    const reply = await app.inject({ method, url, headers: as, ...(payload === undefined ? {} : { payload }) });
    return { status: reply.statusCode, body: reply.json() as Record<string, unknown>, text: reply.body };
  };
  const plan = async (input: object, as = headers) => {
    const { status, body } = await ask('POST /v1/tools/knock/plan', { input }, as);
    assert.equal(status, 200, JSON.stringify(body));
    return body as unknown as PlanView;
  };
  const run = (body: object, as = headers) => ask('POST /v1/tools/knock/runs', body, as);
  return { ...made, ask, plan, run };
}

it('a plan is run exactly once, by its owner, as it was planned', async (t) => {
  const { plan, run, ask, key } = await setUp(t);
  const other = { authorization: `Bearer ${await key(undefined, 'other')}` };
  const input = { host: '10.0.0.1', password: PASSWORD };
  const made = await plan(input);
  assert.equal(made.decision, 'allowed', JSON.stringify(made.refusal));
  for (const rule of PLAN_RULES)
    assert.ok(
      made.rules.some((entry) => entry.rule === rule),
      rule,
    );
  assert.deepEqual(
    made.rules.filter(({ rule, outcome }) => outcome !== 'passed' || !PLAN_RULES.includes(rule)),
    [],
  );
  const planId = made.planId ?? '';
  assert.equal((await run({ run: { planId } }, other)).body['code'], 'ERR_PLAN_UNKNOWN');
  assert.equal((await ask(`GET /v1/plans/${planId}`, undefined, other)).status, 404);
  const changed = { input: { ...input, host: '10.0.0.2' }, run: { planId } };
  assert.equal((await run(changed)).body['code'], 'ERR_PLAN_MISMATCH');
  const elsewhere = await ask('POST /v1/tools/echo/runs', { run: { planId } });
  assert.equal(elsewhere.body['code'], 'ERR_PLAN_MISMATCH');
  const ran = await run({ run: { planId } });
  assert.equal(ran.status, 200, ran.text);
  const result = ran.body as unknown as RunResult;
  const record = (await ask(`GET /v1/runs/${result.runId}`)).body as unknown as Run;
  assert.deepEqual([record.planDigest, record.argv, record.engagement], [made.digest, made.argv, 'default']);
  assert.equal((await run({ run: { planId } })).body['code'], 'ERR_PLAN_USED');
});

it('plans are in the audit before they are answered, and the password of a plan is nowhere', async (t) => {
  const { plan, ask, logLines } = await setUp(t);
  const made = await plan({ host: '10.0.0.1', password: PASSWORD });
  const refused = await plan({ host: '192.0.2.1', password: PASSWORD });
  const audit = await ask('GET /v1/audit?limit=1000');
  const records = audit.body['records'] as { type: string; digest: string | null; data: Record<string, unknown> }[];
  assert.ok(records.some(({ type, digest }) => type === 'plan.made' && digest === made.digest));
  assert.ok(records.some(({ type, data }) => type === 'plan.refused' && data['rule'] === refused.refusal?.rule));
  const read = await ask(`GET /v1/plans/${made.planId}`);
  assert.deepEqual(read.body, JSON.parse(JSON.stringify(made)));
  for (const text of [JSON.stringify([made, refused]), audit.text, read.text, logLines.join('\n')])
    assert.ok(!text.includes(PASSWORD));
});

it('the kill switch and a disabled tool refuse a plan as they refuse a run', async (t) => {
  const { plan, run, ask } = await setUp(t);
  const input = { host: '10.0.0.1' };
  const planId = (await plan(input)).planId ?? '';
  await ask('POST /v1/kill', { reason: 'a test' });
  const killed = await plan(input);
  assert.deepEqual([killed.decision, killed.refusal?.code], ['refused', 'ERR_KILL_SWITCH']);
  assert.equal((await run({ run: { planId } })).body['code'], 'ERR_KILL_SWITCH', 'also of a plan that was made before');
  await ask('POST /v1/kill/lift', { reason: 'a test' });
  assert.equal((await plan(input)).decision, 'allowed');
  await ask('POST /v1/tools/knock/disable');
  assert.equal((await plan(input)).refusal?.code, 'ERR_TOOL_DISABLED');
});

it('only a key with runs:plan may plan', async (t) => {
  const { ask, key } = await setUp(t);
  const headers = { authorization: `Bearer ${await key(['tools:read', 'runs:execute'])}` };
  const reply = await ask('POST /v1/tools/knock/plan', { input: { host: '10.0.0.1' } }, headers);
  assert.equal(reply.body['code'], 'ERR_AUTH_FORBIDDEN');
  assert.equal((await ask('GET /v1/plans/plan_x', undefined, headers)).body['code'], 'ERR_AUTH_FORBIDDEN');
});

it('plan and scope are offered over MCP, and answer as over REST', async (t) => {
  const { app, headers, ask } = await setUp(t);
  const call = async (name: string, args: object) => {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const payload = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta: meta } };
    const wire = {
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': name,
    };
    const { body } = await app.inject({ method: 'POST', url: '/mcp', headers: { ...headers, ...wire }, payload });
    const line = body.split('\n').findLast((each) => each.startsWith('data: {')) ?? `data: ${body}`;
    return JSON.parse(line.slice('data: '.length)) as { result?: { structuredContent?: Record<string, unknown> } };
  };
  const planned = await call('plan', { tool: 'knock', input: { host: '10.0.0.1' } });
  assert.equal(planned.result?.structuredContent?.['decision'], 'allowed', JSON.stringify(planned));
  const scope = await call('scope', {});
  const { body } = await ask('GET /v1/scope');
  assert.deepEqual(scope.result?.structuredContent?.['engagements'], body['engagements']);
});
