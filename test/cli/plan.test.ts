import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlanView } from '../../schemas/plan.ts';
import { plan } from '../../src/cli/plan.ts';
import { run } from '../../src/cli/run.ts';
import { call, fakeRuns, HOSTILE, isSafe, json } from './fake-runs.ts';

const PATH = 'POST /v1/tools/dig/plan';
const MADE: PlanView = {
  planId: 'plan_1',
  tool: 'dig',
  decision: 'allowed',
  engagement: { id: 'acme', version: '0123456789abcdef' },
  digest: 'f'.repeat(64),
  argv: ['/usr/bin/dig', 'web.lab.internal'],
  targets: [
    { role: 'name', given: 'web.lab.internal', canonical: 'web.lab.internal', addresses: [], addressCount: '0' },
    { role: 'server', given: '', canonical: '10.77.0.10:53', addresses: ['10.77.0.10'], addressCount: '1' },
  ],
  size: { addresses: '1', ports: 1, probes: '1' },
  estimate: { probes: 1, packetsPerSecond: 1, durationMs: 1500 },
  risk: { level: 'observe', ceiling: 'active', raisedBy: [] },
  degraded: [],
  timeoutMs: 20_000,
  rules: [
    { rule: 'tool.enabled', outcome: 'passed', datum: 'dig' },
    { rule: 'target.scope', outcome: 'passed', field: 'name', datum: 'web.lab.internal matches *.lab.internal' },
  ],
  createdAt: '2026-11-22T10:00:00.000Z',
  expiresAt: '2026-11-22T10:10:00.000Z',
};
const REFUSED: PlanView = {
  planId: null,
  tool: 'dig',
  decision: 'refused',
  refusal: {
    code: 'ERR_TARGET_OUT_OF_SCOPE',
    rule: 'target.scope',
    message: 'not in scope',
    instead: 'targets in 10.0.0.0/8',
    retryAfterMs: 1500,
  },
  degraded: [],
  rules: [
    { rule: 'tool.enabled', outcome: 'passed', datum: 'dig' },
    { rule: 'target.scope', outcome: 'failed', field: 'name', datum: 'not in scope' },
    { rule: 'argv.grammar', outcome: 'not_reached' },
    { rule: 'approval.need', outcome: 'not_reached' },
  ],
  createdAt: '2026-11-22T10:00:00.000Z',
};

test('plan sends input and options, and prints the decision first, then what would run, then each rule', async (t) => {
  const { asked, environment } = await fakeRuns(t, { [PATH]: json(200, MADE) });
  const words = ['dig', 'name=web.lab.internal', '--engagement', 'acme', '--timeout', '20s'];
  const { code, stdout, stderr } = await call(plan, words, { environment });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(asked[0]?.body ?? ''), {
    input: { name: 'web.lab.internal' },
    run: { engagement: 'acme', timeoutMs: 20_000 },
  });
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines[0], 'dig allowed');
  for (const part of [
    '  would run: ["/usr/bin/dig","web.lab.internal"]',
    '  target: name web.lab.internal → asked about, not contacted',
    '  estimate: 1 probe; at most 1 per second, about 1.5 s',
    '  plan: plan_1 until 2026-11-22T10:10:00.000Z',
    '    ✓ target.scope [name]  web.lab.internal matches *.lab.internal',
  ])
    assert.ok(lines.includes(part), `${part} in\n${stdout}`);
});

test('plan that needs consent exits 0 and says of whom; one whose cost is unknown says that', async (t) => {
  const { estimate: _, ...unknown } = MADE;
  const approval = { from: 'intrusive', quorum: 2, ttlMinutes: 60, selfConfirm: false } as const;
  const body: PlanView = { ...unknown, decision: 'needs_approval', approval };
  const { environment } = await fakeRuns(t, { [PATH]: json(200, body) });
  const { code, stdout } = await call(plan, ['dig', '--input', '{"name":"x"}'], { environment });
  assert.equal(code, 0);
  assert.match(stdout, /^dig allowed once other people approve\n/);
  assert.match(stdout, /approval: 2 from intrusive up, within 60 min/);
  assert.match(stdout, /estimate: nobody can say/);
});

test('plan says what is expected and what targets can draw out at most, where these are two numbers', async (t) => {
  const said = async (probes: number, mostProbes: number) => {
    const body: PlanView = { ...MADE, estimate: { probes, mostProbes, packetsPerSecond: 50, durationMs: 1500 } };
    const { environment } = await fakeRuns(t, { [PATH]: json(200, body) });
    return /estimate: (.*);/.exec((await call(plan, ['dig', 'name=x'], { environment })).stdout)?.[1];
  };
  assert.equal(await said(100, 353), 'about 100 probes, at most 353');
  assert.equal(await said(1, 4), 'about 1 probe, at most 4');
  assert.equal(await said(100, 100), '100 probes');
});

test('plan that is refused exits 1 with the rule, what is allowed instead, and what was not reached', async (t) => {
  const { environment } = await fakeRuns(t, { [PATH]: json(200, REFUSED) });
  const { code, stdout } = await call(plan, ['dig', 'name=x'], { environment });
  assert.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'dig REFUSED',
    '  why: ERR_TARGET_OUT_OF_SCOPE (target.scope): not in scope',
    '  allowed instead: targets in 10.0.0.0/8',
    '  try again in: 2 s',
  ]);
  assert.ok(lines.includes('    ✗ target.scope [name]  not in scope'));
  assert.equal(lines.at(-1), '    · 2 rules not reached');
  assert.ok(!stdout.includes('argv.grammar'));
  assert.ok(!stdout.includes('estimate'));
});

test('plan prints JSON as it came, errors as errors, and nothing that steers the terminal', async (t) => {
  const evil: PlanView = {
    ...MADE,
    argv: [HOSTILE],
    degraded: [HOSTILE],
    rules: [{ rule: HOSTILE, outcome: 'passed' }],
  };
  const { environment } = await fakeRuns(t, {
    [PATH]: ({ count, ...asked }) =>
      count === 2
        ? json(400, { code: 'ERR_INPUT_INVALID', message: 'no', requestId: 'r' })({ count, ...asked })
        : json(200, evil)({ count, ...asked }),
  });
  const asJson = await call(plan, ['dig', '--json'], { environment });
  assert.deepEqual(JSON.parse(asJson.stdout), evil);
  const asText = await call(plan, ['dig'], { environment });
  assert.ok(isSafe(asText.stdout) && isSafe(asJson.stdout));
  const refused = await call(plan, ['dig'], { environment });
  assert.deepEqual([refused.code, refused.stdout], [1, '']);
  assert.match(refused.stderr, /ERR_INPUT_INVALID: no/);
});

test('plan wants a tool and one kind of input', async (t) => {
  const { environment, asked } = await fakeRuns(t, { [PATH]: json(200, MADE) });
  for (const words of [[], ['../x'], ['dig', 'a=b', '--input', '{}'], ['dig', 'word'], ['dig', '--timeout', 'x']])
    await assert.rejects(call(plan, words, { environment }), { code: 'ERR_INPUT_INVALID' });
  assert.equal(asked.length, 0);
});

test('run takes an engagement and a plan to run exactly', async (t) => {
  const start = 'POST /v1/tools/dig/runs';
  const refused = json(403, { code: 'ERR_PLAN_EXPIRED', message: 'expired', requestId: 'r' });
  const { environment, asked } = await fakeRuns(t, { [start]: refused });
  const { code } = await call(run, ['dig', '--engagement', 'acme', '--plan', 'plan_1'], { environment });
  assert.equal(code, 1);
  assert.deepEqual(JSON.parse(asked[0]?.body ?? ''), { input: {}, run: { engagement: 'acme', planId: 'plan_1' } });
});
