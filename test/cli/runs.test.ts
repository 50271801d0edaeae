import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cancel } from '../../src/cli/cancel.ts';
import { runs } from '../../src/cli/runs.ts';
import { show } from '../../src/cli/show.ts';
import { call, fakeRuns, HOSTILE, isSafe, json, recordOf, RESULT } from './fake-runs.ts';

const RUN = `/v1/runs/${RESULT.runId}`;
const HOSTILE_RUN = recordOf({
  tool: HOSTILE,
  engagement: HOSTILE,
  targets: [{ role: 'target', given: HOSTILE, canonical: HOSTILE, addresses: [HOSTILE] }],
  argv: [HOSTILE],
  degraded: [HOSTILE],
  error: { code: 'ERR_TOOL_FAILED', message: HOSTILE },
  progress: { message: HOSTILE, at: HOSTILE },
});
const FINDING = {
  fingerprint: 'a',
  kind: 'port',
  target: '10.0.0.5',
  port: 22,
  protocol: 'tcp',
  title: 'ssh is open',
  severity: 'info',
  confidence: 'firm',
  attributes: {},
};

test('runs asks with its filters and prints a table, newest first', async (t) => {
  const first = recordOf({ state: 'succeeded', complete: true });
  const second = recordOf({ runId: 'b', tool: 'nmap', state: 'timed_out' });
  const { asked, environment } = await fakeRuns(t, { 'GET /v1/runs': json(200, { runs: [first, second] }) });
  const filters = ['--tool', 'dig', '--state', 'succeeded,timed_out', '--state', 'lost', '--target', 'a&b=c'];
  const { code, stdout, stderr } = await call(runs, [...filters, '--since', '2026-11-22'], { environment });
  assert.equal(code, 0, stderr);
  const query = asked[0]?.query;
  assert.deepEqual(query?.getAll('state'), ['succeeded', 'timed_out', 'lost']);
  assert.equal(query.get('target'), 'a&b=c');
  assert.equal(query.get('since'), '2026-11-22T00:00:00.000Z');
  assert.equal(query.get('limit'), '20');
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^RUN +TOOL +STATE +CREATED +TOOK +FINDINGS +TARGET$/);
  assert.match(lines[1] ?? '', /^\S+ +dig +succeeded +2026-11-22T10:00:00Z +1\.2 s +3 \(2 high\) +web\.lab\.internal$/);
  assert.match(lines[2] ?? '', /^b +nmap +timed_out \(incomplete\) /);
});

test('runs reads as many pages as the limit needs, and says when there are more', async (t) => {
  const page = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => recordOf({ runId: `run-${from + at}` }));
  const { asked, environment } = await fakeRuns(t, {
    'GET /v1/runs': (request) =>
      json(200, { runs: page(request.count * 200, 200), nextCursor: `c${request.count}` })(request),
  });
  const { stdout, stderr } = await call(runs, ['--limit', '250', '--json'], { environment });
  assert.equal((JSON.parse(stdout) as unknown[]).length, 250);
  assert.equal(stderr, '');
  assert.deepEqual(
    asked.map(({ query }) => query.get('cursor')),
    [null, 'c0'],
  );
  assert.match((await call(runs, ['-n', '3'], { environment })).stderr, /more than these 3/);
});

test('pages that lead in a circle end with an error', async (t) => {
  const { asked, environment } = await fakeRuns(t, {
    'GET /v1/runs': json(200, { runs: [recordOf()], nextCursor: 'again' }),
  });
  assert.equal((await call(runs, ['--limit', '100'], { environment })).code, 3);
  assert.equal(asked.length, 2);
});

test('a table is as wide as the terminal, and one row stays one line whatever a target is called', async (t) => {
  const wide = recordOf({ targets: [{ role: 'target', given: '漢'.repeat(200), canonical: 'x', addresses: [] }] });
  const { environment } = await fakeRuns(t, { 'GET /v1/runs': json(200, { runs: [HOSTILE_RUN, wide] }) });
  const { stdout } = await call(runs, [], { environment, terminal: 120 });
  assert.equal(stdout.trimEnd().split('\n').length, 3);
  assert.ok(isSafe(stdout));
  for (const line of stdout.split('\n')) assert.ok(line.length <= 120);
  const narrow = (await call(runs, [], { environment, terminal: 70 })).stdout.trimEnd().split('\n');
  assert.equal(narrow.length, 4);
  for (const line of narrow) assert.ok(line.length <= 70);
  assert.ok((await call(runs, [], { environment })).stdout.includes('漢'.repeat(200)));
});

test('an answer that is no list of runs is a failure', async (t) => {
  for (const body of [{}, { runs: {} }, { runs: [{}] }, { runs: [{ ...recordOf(), state: 'fine' }] }, [], null, 'x']) {
    const { environment } = await fakeRuns(t, { 'GET /v1/runs': json(200, body) });
    assert.equal((await call(runs, [], { environment })).code, 1, JSON.stringify(body));
  }
});

test('show prints the record of a run, and nothing of it steers the terminal', async (t) => {
  const { environment } = await fakeRuns(t, { [`GET ${RUN}`]: json(200, HOSTILE_RUN) });
  const { code, stdout } = await call(show, [RESULT.runId], { environment });
  assert.equal(code, 0);
  assert.ok(isSafe(stdout));
  assert.equal(stdout.split('\n').filter((line) => line.startsWith('RUN')).length, 0, 'a forged row');
  assert.match(stdout, / {2}findings: 3 \(2 high\)/);
  // It may have waited for consent, and not in a queue.
  assert.match(stdout, / {2}started: \S+, 0\.9 s after it was created/);
  const asJson = await call(show, [RESULT.runId, '--json'], { environment });
  assert.deepEqual(JSON.parse(asJson.stdout), HOSTILE_RUN);
});

test('show --findings reads every page, and says when the run did not look at everything', async (t) => {
  const { environment } = await fakeRuns(t, {
    [`GET ${RUN}`]: json(200, recordOf()),
    [`GET ${RUN}/findings`]: ({ seen, ...request }) =>
      seen.query.get('cursor') === null
        ? json(200, { findings: [FINDING], nextCursor: 'c1' })({ seen, ...request })
        : json(200, { findings: [{ ...FINDING, title: HOSTILE }] })({ seen, ...request }),
  });
  const { stdout, stderr } = await call(show, [RESULT.runId, '--findings'], { environment });
  assert.match(stdout, /^info +port +10\.0\.0\.5 22\/tcp +ssh is open \(firm\)$/m);
  assert.equal(stdout.trimEnd().split('\n').length, 2);
  assert.ok(isSafe(stdout));
  assert.match(stderr, /incomplete/);
  const asJson = await call(show, [RESULT.runId, '--findings', '--json'], { environment });
  assert.equal((JSON.parse(asJson.stdout) as unknown[]).length, 2);
});

test('show --output reads to the end of what is kept, and says when the run goes on', async (t) => {
  const page = (body: object) => json(200, { runId: RESULT.runId, ...body });
  const { asked, environment } = await fakeRuns(t, {
    [`GET ${RUN}/output`]: (request) =>
      request.seen.query.get('offset') === '0'
        ? page({ text: `one\n${HOSTILE}`, nextOffset: 9, isFinal: false })(request)
        : page({ text: 'two\n', isFinal: false })(request),
  });
  const { code, stdout, stderr } = await call(show, [RESULT.runId, '--output'], { environment });
  assert.equal(code, 0);
  assert.match(stdout, /^one\n[^]*two\n$/);
  assert.ok(isSafe(stdout));
  assert.match(stderr, /goes on/);
  assert.equal((await call(show, [RESULT.runId, '--stderr'], { environment })).code, 0);
  assert.deepEqual(
    asked.map(({ query }) => query.get('stream')),
    ['stdout', 'stdout', 'stderr', 'stderr'],
  );
});

test('an offset that does not go on is not read for ever', async (t) => {
  const stuck = json(200, { text: 'x', nextOffset: 0, isFinal: true });
  const { asked, environment } = await fakeRuns(t, { [`GET ${RUN}/output`]: stuck });
  assert.equal((await call(show, [RESULT.runId, '--output'], { environment })).code, 1);
  assert.equal(asked.length, 1);
});

test('too many questions for a minute are waited for, Ctrl-C ends the waiting', async (t) => {
  const busy = (retryAfterMs: number) =>
    json(429, { code: 'ERR_RATE_LIMITED', message: 'x', requestId: 'r', retryAfterMs });
  const page = json(200, { text: 'x', isFinal: true });
  const patient = await fakeRuns(t, { [`GET ${RUN}/output`]: (asked) => (asked.count < 2 ? busy(1) : page)(asked) });
  assert.equal((await call(show, [RESULT.runId, '--output'], { environment: patient.environment })).code, 0);
  const pressed = new AbortController();
  const stopped = await fakeRuns(t, {
    [`GET ${RUN}/output`]: (asked) => {
      busy(60_000)(asked);
      setImmediate(() => pressed.abort());
    },
  });
  const options = { environment: stopped.environment, signal: pressed.signal };
  assert.equal((await call(show, [RESULT.runId, '--output'], options)).code, 130);
  const never = await fakeRuns(t, { [`GET ${RUN}/output`]: busy(1) });
  assert.equal((await call(show, [RESULT.runId, '--output'], { environment: never.environment })).code, 1);
  assert.equal(never.asked.length, 6);
});

test('show --result prints the answer of the run, and its refusal while there is none', async (t) => {
  const { environment } = await fakeRuns(t, { [`GET ${RUN}/result`]: json(200, RESULT) });
  const { stdout } = await call(show, [RESULT.runId, '--result'], { environment });
  assert.match(stdout, /dig succeeded in 1\.2 s/);
  assert.ok(isSafe(stdout));
  const refusal = json(409, { code: 'ERR_RUN_UNFINISHED', message: 'It goes on.', requestId: 'r' });
  const going = await fakeRuns(t, { [`GET ${RUN}/result`]: refusal });
  const refused = await call(show, [RESULT.runId, '--result'], { environment: going.environment });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ERR_RUN_UNFINISHED/);
});

test('cancel ends a run and says how it is then', async (t) => {
  const { lines, environment } = await fakeRuns(t, {
    [`POST ${RUN}/cancel`]: json(200, recordOf({ state: 'cancelled' })),
  });
  const { code, stdout } = await call(cancel, [RESULT.runId], { environment });
  assert.equal(code, 0);
  assert.match(stdout, /^dig cancelled/);
  assert.deepEqual(lines(), [`POST ${RUN}/cancel`]);
  const none = await call(cancel, ['unknown'], { environment });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /ERR_RUN_UNKNOWN/);
});

test('what cannot be the id of a run is wrong usage and asks nothing', async (t) => {
  const { asked, environment } = await fakeRuns(t, {});
  for (const id of ['../tools', 'a/b', 'a?x=1', '%2e%2e', 'a b', '', '-x', 'x'.repeat(129)]) {
    for (const verb of [show, cancel]) {
      await assert.rejects(async () => call(verb, ['--', id], { environment }), { code: 'ERR_INPUT_INVALID' }, id);
    }
  }
  assert.equal(asked.length, 0);
});
