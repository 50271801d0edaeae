import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Approval } from '../../schemas/approval.ts';
import { approvals } from '../../src/cli/approvals.ts';
import { call, fakeRuns, HOSTILE, isSafe, json } from './fake-runs.ts';

const DIGEST = 'f'.repeat(64);
const RUN = '0f9a6c1e-run-1';
const PATH = `/v1/approvals/${RUN}`;

function approvalOf(patch: Partial<Approval> = {}): Approval {
  return {
    runId: RUN,
    state: 'pending',
    tool: 'sqlmap',
    requester: { id: 'key_1', name: 'agent-red' },
    engagement: 'acme',
    risk: 'exploit',
    digest: DIGEST,
    argv: ['/usr/bin/sqlmap', '-u', 'http://web.lab/'],
    targets: ['web.lab [10.0.0.1]'],
    quorum: 2,
    decisions: [],
    requestedAt: '2026-11-22T10:00:00.000Z',
    expiresAt: '2026-11-22T11:00:00.000Z',
    ...patch,
  };
}

const DECISION: Approval['decisions'][number] = {
  decision: 'approved',
  by: 'key_2',
  name: 'alice',
  reason: 'agreed',
  at: '2026-11-22T10:05:00.000Z',
  via: 'rest',
};

test('approvals lists what waits, also as JSON, and says when nothing does', async (t) => {
  const { environment, lines } = await fakeRuns(t, { 'GET /v1/approvals': json(200, { approvals: [approvalOf()] }) });
  const { code, stdout } = await call(approvals, [], { environment });
  assert.equal(code, 0);
  const [head, row] = stdout.trimEnd().split('\n');
  assert.match(head ?? '', /^RUN +TOOL +RISK +UNTIL +WHO AND WHAT$/);
  assert.match(
    row ?? '',
    /^0f9a6c1e-run-1 +sqlmap +exploit +2026-11-22T11:00:00Z +agent-red: web\.lab \[10\.0\.0\.1\]$/,
  );
  const asJson = await call(approvals, ['list', '--json'], { environment });
  assert.deepEqual(JSON.parse(asJson.stdout), [approvalOf()]);
  assert.deepEqual(lines(), ['GET /v1/approvals', 'GET /v1/approvals']);
  const empty = await fakeRuns(t, { 'GET /v1/approvals': json(200, { approvals: [] }) });
  assert.match((await call(approvals, [], empty)).stdout, /Nothing waits/);
});

test('approvals show prints exactly what would run and who said what', async (t) => {
  const { environment } = await fakeRuns(t, { [`GET ${PATH}`]: json(200, approvalOf({ decisions: [DECISION] })) });
  const { code, stdout } = await call(approvals, ['show', RUN], { environment });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    [
      'sqlmap pending, 1 of 2 approvals (run 0f9a6c1e-run-1)',
      '  asked by: agent-red (key_1) at 2026-11-22T10:00:00.000Z',
      '  until: 2026-11-22T11:00:00.000Z',
      '  engagement: acme, risk exploit',
      '  target: web.lab [10.0.0.1]',
      '  runs: ["/usr/bin/sqlmap","-u","http://web.lab/"]',
      `  digest: ${DIGEST}`,
      '  approved: alice (key_2) at 2026-11-22T10:05:00.000Z by rest: agreed',
      '',
    ].join('\n'),
  );
});

test('approve shows what is approved and sends the digest of what was shown', async (t) => {
  const { environment, asked } = await fakeRuns(t, {
    [`GET ${PATH}`]: json(200, approvalOf()),
    [`POST ${PATH}/approve`]: ({ response, count, seen }) => {
      const state = count === 0 ? 'pending' : 'approved';
      json(200, approvalOf({ state, decisions: [DECISION] }))({ response, count, seen });
    },
  });
  const first = await call(approvals, ['approve', RUN, '--reason', 'agreed'], { environment });
  assert.equal(first.code, 0);
  assert.match(first.stdout, /runs: \["\/usr\/bin\/sqlmap"/);
  assert.match(first.stdout, /Approved: 1 of 2; somebody else/);
  assert.deepEqual(JSON.parse(asked[1]?.body ?? ''), { digest: DIGEST, reason: 'agreed' });
  const second = await call(approvals, ['approve', RUN, '--reason', 'agreed', '--json'], { environment });
  assert.equal((JSON.parse(second.stdout) as Approval).state, 'approved');
  const third = await call(approvals, ['approve', RUN, '--reason', 'agreed'], { environment });
  assert.match(third.stdout, /Approved: the run goes on\./);
});

test('deny sends its reason and says what follows', async (t) => {
  const { environment, lines } = await fakeRuns(t, {
    [`GET ${PATH}`]: json(200, approvalOf()),
    [`POST ${PATH}/deny`]: json(200, approvalOf({ state: 'denied' })),
  });
  const { code, stdout } = await call(approvals, ['deny', RUN, '--reason', 'not this host'], { environment });
  assert.equal(code, 0);
  assert.match(stdout, /Denied: the run does not happen\./);
  assert.deepEqual(lines(), [`GET ${PATH}`, `POST ${PATH}/deny`]);
});

test('what cannot be read is not approved, and a refusal is told with its code', async (t) => {
  const body = { code: 'ERR_APPROVAL_SELF', message: 'You asked for this run yourself.', requestId: 'r' };
  const { environment, lines } = await fakeRuns(t, {
    [`GET ${PATH}`]: json(200, approvalOf()),
    [`POST ${PATH}/approve`]: json(403, body),
    'GET /v1/approvals/half': json(200, { runId: 'half', digest: DIGEST }),
    'GET /v1/approvals': json(200, { approvals: [{}] }),
  });
  const refused = await call(approvals, ['approve', RUN, '--reason', 'x'], { environment });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^ERR_APPROVAL_SELF: /);
  assert.equal((await call(approvals, ['approve', 'half', '--reason', 'x'], { environment })).code, 1);
  assert.equal((await call(approvals, ['approve', 'gone', '--reason', 'x'], { environment })).code, 1);
  assert.equal((await call(approvals, ['list'], { environment })).code, 1);
  assert.equal(lines().filter((line) => line.startsWith('POST')).length, 1);
});

test('wrong usage asks nothing', async (t) => {
  const { environment, lines } = await fakeRuns(t, {});
  const wrong = [
    ['frobnicate'],
    ['list', 'extra'],
    ['show'],
    ['show', RUN, 'extra'],
    ['show', '../runs'],
    ['show', RUN, '--reason', 'x'],
    ['approve', RUN],
    ['approve', RUN, '--reason', ' '],
    ['approve', RUN, '--reason', 'x'.repeat(501)],
    ['approve', '--reason', 'x'],
    ['deny', RUN],
  ];
  for (const args of wrong) {
    await assert.rejects(call(approvals, args, { environment }), { code: 'ERR_INPUT_INVALID' }, args.join(' '));
  }
  assert.deepEqual(lines(), []);
});

test('a requester cannot steer the terminal of the one who decides, or forge a line', async (t) => {
  const hostile = approvalOf({
    tool: HOSTILE,
    engagement: HOSTILE,
    requester: { id: HOSTILE, name: HOSTILE },
    argv: [HOSTILE],
    targets: [HOSTILE],
    decisions: [{ ...DECISION, name: HOSTILE, reason: HOSTILE }],
  });
  const { environment } = await fakeRuns(t, {
    [`GET ${PATH}`]: json(200, hostile),
    'GET /v1/approvals': json(200, { approvals: [hostile] }),
  });
  const shown = (await call(approvals, ['show', RUN], { environment })).stdout;
  assert.ok(isSafe(shown));
  assert.equal(shown.trimEnd().split('\n').length, 8);
  const listed = (await call(approvals, [], { environment, terminal: 80 })).stdout;
  assert.ok(isSafe(listed));
  assert.equal(listed.trimEnd().split('\n').length, 2);
  for (const line of listed.split('\n')) assert.ok(line.length <= 80);
});
