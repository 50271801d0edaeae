import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/cli/run.ts';
import { status } from '../../src/cli/status.ts';
import { ended, startCli, temporaryDirectory } from './command-line.ts';
import { call, fakeRuns, frame, isSafe, json, recordOf, RESULT, type Route, stream } from './fake-runs.ts';
import { holdDataDir, listen } from './fake-gateway.ts';

const START = 'POST /v1/tools/dig/runs';
const RUN = `/v1/runs/${RESULT.runId}`;
const ENDED = recordOf({ state: 'succeeded', complete: true, endedAt: '2026-11-22T10:00:03.000Z' });
const SUCCESS: Readonly<Record<string, Route>> = {
  [START]: json(202, recordOf({ state: 'queued' })),
  [`GET ${RUN}/events`]: stream(
    frame('state', { state: 'queued' }, '1'),
    frame('state', { state: 'running' }, '2'),
    frame('progress', { percent: 50, done: 1, total: 2, at: '2026-11-22T10:00:02.000Z' }),
    frame('finding', { message: 'x', finding: { fingerprint: 'a' } }, '3'),
    frame('state', { state: 'succeeded' }, '4'),
  ),
  [`GET ${RUN}`]: json(200, ENDED),
  [`GET ${RUN}/result`]: json(200, RESULT),
};

test('run starts detached under a name of its own, follows to the end and prints the result', async (t) => {
  const { asked, lines, environment } = await fakeRuns(t, SUCCESS);
  const { code, stdout, stderr } = await call(run, ['dig', 'name=web.lab.internal', '--timeout', '20s'], {
    environment,
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(lines(), [START, `GET ${RUN}/events`, `GET ${RUN}`, `GET ${RUN}/result`]);
  const [start] = asked;
  assert.equal(start?.headers.authorization, 'Bearer the-first-key');
  assert.equal(start.headers['prefer'], 'respond-async');
  assert.match(String(start.headers['idempotency-key']), /^"[\w-]{36}"$/);
  assert.deepEqual(JSON.parse(start.body), { input: { name: 'web.lab.internal' }, run: { timeoutMs: 20_000 } });
  for (const part of ['dig succeeded in 1.2 s', '10.77.0.10', 'degraded: asked for X', 'incomplete']) {
    assert.ok(stdout.includes(part), part);
  }
});

test('without a terminal progress is plain lines on standard error, with --quiet there are none', async (t) => {
  const { environment } = await fakeRuns(t, SUCCESS);
  const loud = await call(run, ['dig', 'name=a'], { environment });
  assert.match(loud.stderr, new RegExp(`^sallyport: run ${RESULT.runId}$`, 'm'));
  assert.match(loud.stderr, /^sallyport: dig running$/m);
  assert.match(loud.stderr, /^sallyport: dig succeeded 50% 1\/2, 1 finding$/m);
  assert.deepEqual(loud.drawn, []);
  assert.equal((await call(run, ['dig', 'name=a', '--quiet'], { environment })).stderr, '');
  const drawn = await call(run, ['dig', 'name=a', '--quiet'], { environment, terminal: 80 });
  assert.deepEqual(drawn.drawn, []);
});

test('on a terminal a bar is drawn and erased, and the result stays', async (t) => {
  const { environment } = await fakeRuns(t, SUCCESS);
  const { drawn, stdout } = await call(run, ['dig', 'name=a'], { environment, terminal: 60 });
  assert.ok(drawn.length > 1);
  assert.equal(drawn.at(-1), '\r\u001b[K');
  assert.match(stdout, /dig succeeded/);
});

test('what a target wrote cannot steer the terminal, and --json stays JSON', async (t) => {
  const { environment } = await fakeRuns(t, SUCCESS);
  for (const args of [['name=a'], ['--input', '{"name":"a"}', '--json']]) {
    const { stdout } = await call(run, ['dig', ...args], { environment });
    assert.ok(isSafe(stdout));
    if (args.includes('--json')) assert.deepEqual(JSON.parse(stdout), RESULT);
  }
});

test('--detach prints the id and asks nothing more', async (t) => {
  const { lines, environment } = await fakeRuns(t, SUCCESS);
  const { code, stdout } = await call(run, ['dig', 'name=a', '--detach'], { environment });
  assert.equal(code, 0);
  assert.equal(stdout, `${RESULT.runId}\n`);
  assert.deepEqual(lines(), [START]);
  const asJson = await call(run, ['dig', 'name=a', '--detach', '--json'], { environment });
  assert.equal((JSON.parse(asJson.stdout) as { runId: string }).runId, RESULT.runId);
});

test('a run that had ended before the answer needs no following', async (t) => {
  const { lines, environment } = await fakeRuns(t, { ...SUCCESS, [START]: json(200, RESULT) });
  const { code, stdout } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 0);
  assert.match(stdout, /dig succeeded/);
  assert.deepEqual(lines(), [START]);
});

test('a run id that would lead to another path is never asked for', async (t) => {
  for (const runId of ['../tools', 'a/../../config', 'a?b', '', 'a\r\nb']) {
    const { lines, environment } = await fakeRuns(t, { ...SUCCESS, [START]: json(202, { ...recordOf(), runId }) });
    assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 1, runId);
    assert.deepEqual(lines(), [START]);
  }
});

test('an answer that got lost is asked for again under the same name, so that there is one run', async (t) => {
  const { asked, environment } = await fakeRuns(t, {
    ...SUCCESS,
    [START]: (request) => (request.count === 0 ? request.response.destroy() : SUCCESS[START]?.(request)),
  });
  assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 0);
  const names = asked.filter(({ line }) => line === START).map(({ headers }) => headers['idempotency-key']);
  assert.equal(names.length, 2);
  assert.equal(new Set(names).size, 1);
});

test('a lost connection is taken up after the last event, and nothing is counted twice', async (t) => {
  const finding = (id: string) => frame('finding', { message: 'x', finding: { fingerprint: id } }, id);
  const { asked, environment } = await fakeRuns(t, {
    ...SUCCESS,
    [`GET ${RUN}/events`]: ({ response, seen, count }) => {
      if (count === 0) {
        response.writeHead(200).write(frame('state', { state: 'running' }, '1') + finding('2') + 'id: 3\nevent: fin');
        setImmediate(() => response.destroy());
        return;
      }
      const from = Number(seen.headers['last-event-id']);
      response.end((from < 3 ? finding('3') : '') + frame('state', { state: 'succeeded' }, '4'));
    },
  });
  const { code, stderr } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 0);
  assert.match(stderr, /connection was lost/);
  assert.match(stderr, /dig succeeded, 2 findings/);
  const ids = asked.filter(({ line }) => line.endsWith('/events')).map(({ headers }) => headers['last-event-id']);
  assert.deepEqual(ids, [undefined, '2']);
});

test('--key-file goes before SALLYPORT_KEY_FILE, and that before the first key', async (t) => {
  const { asked, environment, dataDir } = await fakeRuns(t, { [START]: json(200, RESULT) });
  writeFileSync(join(dataDir, 'a'), 'key-a\n');
  writeFileSync(join(dataDir, 'b'), 'key-b\n');
  const withFile = { ...environment, SALLYPORT_KEY_FILE: join(dataDir, 'a') };
  await call(run, ['dig', 'name=a'], { environment: withFile });
  // Relative to where the command was called, not to the checkout.
  await call(run, ['dig', 'name=a', '--key-file', 'b'], { environment: withFile, cwd: dataDir });
  assert.deepEqual(
    asked.map(({ headers }) => headers.authorization),
    ['Bearer key-a', 'Bearer key-b'],
  );
});

test('a refusal is exit code 1 with its code and its details', async (t) => {
  const refusal = {
    code: 'ERR_TARGET_OUT_OF_SCOPE',
    message: 'No.',
    requestId: 'request-1',
    retryAfterMs: 1500,
    details: { rule: 'limit' },
  };
  const { environment } = await fakeRuns(t, { [START]: json(403, refusal) });
  const { code, stdout, stderr } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  for (const part of ['ERR_TARGET_OUT_OF_SCOPE', 'request-1', '2 s', '"rule": "limit"']) {
    assert.ok(stderr.includes(part), part);
  }
  const asJson = await call(run, ['dig', 'name=a', '--json'], { environment });
  assert.equal(asJson.code, 1);
  assert.deepEqual(JSON.parse(asJson.stdout), refusal);
});

test('a run that timed out is exit code 1 with its code and the part of the result there is', async (t) => {
  const error = { code: 'ERR_TOOL_TIMEOUT', message: 'It took too long.' };
  const result = { ...RESULT, outcome: 'timed_out' };
  const { environment } = await fakeRuns(t, {
    ...SUCCESS,
    [`GET ${RUN}/events`]: stream(frame('state', { state: 'timed_out' }, '1')),
    [`GET ${RUN}`]: json(200, recordOf({ state: 'timed_out', error })),
    [`GET ${RUN}/result`]: json(200, result),
  });
  const { code, stdout, stderr } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  for (const part of ['ERR_TOOL_TIMEOUT', 'request-1', 'dig timed out']) assert.ok(stderr.includes(part), part);
  const asJson = await call(run, ['dig', 'name=a', '--json'], { environment });
  assert.equal(asJson.code, 1);
  assert.deepEqual(JSON.parse(asJson.stdout), { ...error, requestId: 'request-1', details: { run: result } });
});

test('a run that ended with nothing to show is a failure that says why', async (t) => {
  const none = { code: 'ERR_RUN_WITHOUT_RESULT', message: 'None.', requestId: 'request-2' };
  const { environment } = await fakeRuns(t, {
    ...SUCCESS,
    [`GET ${RUN}/events`]: stream(frame('state', { state: 'lost' }, '1')),
    [`GET ${RUN}`]: json(200, recordOf({ state: 'lost', error: { code: 'ERR_RUN_LOST', message: 'It died.' } })),
    [`GET ${RUN}/result`]: json(409, none),
  });
  const { code, stderr } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /^ERR_RUN_LOST: It died\.$/m);
});

test('a key that may start and not read says so, and that the run goes on', async (t) => {
  const refusal = { code: 'ERR_AUTH_FORBIDDEN', message: 'No.', requestId: 'r', details: { scope: 'runs:read' } };
  const { lines, environment } = await fakeRuns(t, { ...SUCCESS, [`GET ${RUN}/events`]: json(403, refusal) });
  const { code, stderr } = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /ERR_AUTH_FORBIDDEN/);
  assert.match(stderr, new RegExp(`watch ${RESULT.runId}`));
  assert.deepEqual(lines(), [START, `GET ${RUN}/events`]);
});

test('an answer that is not ours is a failure, not a success', async (t) => {
  const page: Route = ({ response }) => void response.writeHead(502).end('<html>proxy</html>');
  const { environment } = await fakeRuns(t, { [START]: page });
  assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 1);
});

test('without a gateway, or with one that does not answer, the exit code is 3', async (t) => {
  const dataDir = temporaryDirectory(t);
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  const none = await call(run, ['dig', 'name=a'], { environment });
  assert.equal(none.code, 3);
  assert.match(none.stderr, /^sallyport: the gateway is not running/);
  const port = await listen(t, (request) => request.socket.destroy());
  holdDataDir(dataDir, `http://127.0.0.1:${port}`);
  assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 3);
  assert.equal((await call(status, [], { environment })).code, 3);
});

test('no key is sent to whoever listens at the address of a gateway that is gone', async (t) => {
  const { lines, environment, dataDir, port } = await fakeRuns(t, { [START]: json(200, RESULT) });
  assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 0);
  holdDataDir(dataDir, `http://127.0.0.1:${port}`, '1');
  assert.equal((await call(run, ['dig', 'name=a'], { environment })).code, 3);
  assert.deepEqual(lines(), [START]);
});

test('Ctrl-C cancels the run, waits for its end and exits with 130', async (t) => {
  const error = { code: 'ERR_RUN_CANCELLED', message: 'Cancelled.' };
  const cancelled = recordOf({ state: 'cancelled', error });
  const following = Promise.withResolvers<void>();
  const events: { end?: () => void } = {};
  const { lines, environment } = await fakeRuns(t, {
    ...SUCCESS,
    [`GET ${RUN}/events`]: ({ response }) => {
      response.writeHead(200).write(frame('state', { state: 'running' }, '1'));
      events.end = () => response.end(frame('state', { state: 'cancelled' }, '2'));
      following.resolve();
    },
    [`POST ${RUN}/cancel`]: (request) => {
      json(200, cancelled)(request);
      events.end?.();
    },
    [`GET ${RUN}`]: json(200, cancelled),
    [`GET ${RUN}/result`]: json(200, { ...RESULT, outcome: 'cancelled' }),
  });
  const child = startCli(['run', 'dig', 'name=a'], { environment });
  const end = ended(child);
  await following.promise;
  child.kill('SIGINT');
  const { code, stderr } = await end;
  assert.equal(code, 130, stderr);
  assert.ok(lines().includes(`POST ${RUN}/cancel`));
  assert.match(stderr, /dig cancelled in/);
});

test('a second Ctrl-C leaves at once', async (t) => {
  const asked = { events: Promise.withResolvers<void>(), cancel: Promise.withResolvers<void>() };
  const { environment } = await fakeRuns(t, {
    ...SUCCESS,
    [`GET ${RUN}/events`]: ({ response }) => {
      response.writeHead(200).write(': open\n\n');
      asked.events.resolve();
    },
    [`POST ${RUN}/cancel`]: () => asked.cancel.resolve(),
  });
  const child = startCli(['run', 'dig', 'name=a'], { environment });
  const end = ended(child);
  await asked.events.promise;
  child.kill('SIGINT');
  await asked.cancel.promise;
  child.kill('SIGINT');
  assert.equal((await end).code, null);
  assert.equal(child.signalCode, 'SIGINT');
});

test('Ctrl-C while the gateway still takes the run cancels it once its id is known', async (t) => {
  const pressed = new AbortController();
  const cancelled = recordOf({ state: 'cancelled', error: { code: 'ERR_RUN_CANCELLED', message: 'x' } });
  const { lines, environment } = await fakeRuns(t, {
    ...SUCCESS,
    [START]: (request) => {
      pressed.abort();
      setImmediate(() => SUCCESS[START]?.(request));
    },
    [`POST ${RUN}/cancel`]: json(200, cancelled),
    [`GET ${RUN}/events`]: stream(frame('state', { state: 'cancelled' }, '1')),
    [`GET ${RUN}`]: json(200, cancelled),
  });
  const { code } = await call(run, ['dig', 'name=a'], { environment, signal: pressed.signal });
  assert.equal(code, 130);
  assert.ok(lines().includes(`POST ${RUN}/cancel`));
});
