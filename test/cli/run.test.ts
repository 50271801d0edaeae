import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ended, runCli, startCli, temporaryDirectory } from './command-line.ts';
import { holdDataDir, listen, readBody } from './fake-gateway.ts';

const RESULT = {
  runId: 'run-1',
  tool: 'dig',
  outcome: 'succeeded',
  complete: false,
  degraded: ['asked for X, did Y'],
  targets: [{ role: 'target', given: 'web.lab.internal', canonical: 'web.lab.internal', addresses: ['10.77.0.10'] }],
  durationMs: 1234,
  stdout: { bytes: 1, truncated: false },
  stderr: { bytes: 0, truncated: false },
  result: { text: 'evil \u001b[2J\u009b\u202e' },
};

async function gatewayIn(t: TestContext, answer: RequestListener) {
  const dataDir = temporaryDirectory(t);
  const port = await listen(t, answer);
  holdDataDir(dataDir, `http://127.0.0.1:${port}`);
  writeFileSync(join(dataDir, 'first-key'), 'the-first-key\n');
  return { dataDir, environment: { SALLYPORT_DATA_DIR: dataDir } };
}

/** Answers every request alike and keeps what was asked. */
function answerWith(status: number, body: unknown) {
  const seen: { request: IncomingMessage; body: unknown }[] = [];
  const reply = async (...[request, response]: Parameters<RequestListener>): Promise<void> => {
    seen.push({ request, body: await readBody(request) });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const answer: RequestListener = (request, response) => void reply(request, response);
  return { seen, answer };
}

test('run sends the input and the run options with the first key, and prints a summary', async (t) => {
  const { seen, answer } = answerWith(200, RESULT);
  const { environment } = await gatewayIn(t, answer);
  const { code, stdout } = await runCli(['run', 'dig', 'name=web.lab.internal', '--timeout', '20s'], { environment });
  assert.equal(code, 0);
  assert.equal(seen[0]?.request.url, '/v1/tools/dig/runs');
  assert.equal(seen[0].request.headers.authorization, 'Bearer the-first-key');
  assert.deepEqual(seen[0].body, { input: { name: 'web.lab.internal' }, run: { timeoutMs: 20_000 } });
  for (const part of ['dig succeeded in 1.2 s', '10.77.0.10', 'degraded: asked for X', 'incomplete']) {
    assert.ok(stdout.includes(part), part);
  }
});

test('what a target wrote cannot steer the terminal, and --json stays JSON', async (t) => {
  const { answer } = answerWith(200, RESULT);
  const { environment } = await gatewayIn(t, answer);
  for (const args of [['name=a'], ['--input', '{"name":"a"}', '--json']]) {
    const { stdout } = await runCli(['run', 'dig', ...args], { environment });
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
    if (args.includes('--json')) assert.deepEqual(JSON.parse(stdout), RESULT);
  }
});

test('--key-file goes before SALLYPORT_KEY_FILE, and that before the first key', async (t) => {
  const { seen, answer } = answerWith(200, RESULT);
  const { environment, dataDir } = await gatewayIn(t, answer);
  writeFileSync(join(dataDir, 'a'), 'key-a\n');
  writeFileSync(join(dataDir, 'b'), 'key-b\n');
  const withFile = { ...environment, SALLYPORT_KEY_FILE: join(dataDir, 'a') };
  await runCli(['run', 'dig', 'name=a'], { environment: withFile });
  // Relative to where the command was called, not to the checkout.
  await runCli(['run', 'dig', 'name=a', '--key-file', 'b'], { environment: withFile, cwd: dataDir });
  assert.deepEqual(
    seen.map(({ request }) => request.headers.authorization),
    ['Bearer key-a', 'Bearer key-b'],
  );
});

test('a refusal is exit code 1 with its code, its details and the partial result', async (t) => {
  const refusal = {
    code: 'ERR_TOOL_TIMEOUT',
    message: 'It took too long.',
    requestId: 'request-1',
    retryAfterMs: 1500,
    details: { rule: 'limit', run: { ...RESULT, outcome: 'timed_out' } },
  };
  const { answer } = answerWith(504, refusal);
  const { environment } = await gatewayIn(t, answer);
  const { code, stdout, stderr } = await runCli(['run', 'dig', 'name=a'], { environment });
  assert.equal(code, 1);
  assert.equal(stdout, '');
  for (const part of ['ERR_TOOL_TIMEOUT', 'request-1', '2 s', '"rule": "limit"', 'dig timed out']) {
    assert.ok(stderr.includes(part), part);
  }
  const json = await runCli(['run', 'dig', 'name=a', '--json'], { environment });
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.stdout), refusal);
});

test('an answer that is not ours is a failure, not a success', async (t) => {
  const { environment } = await gatewayIn(t, (_request, response) => response.writeHead(502).end('<html>proxy</html>'));
  assert.equal((await runCli(['run', 'dig', 'name=a'], { environment })).code, 1);
});

test('without a gateway, or with one that does not answer, the exit code is 3', async (t) => {
  const dataDir = temporaryDirectory(t);
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  assert.equal((await runCli(['run', 'dig', 'name=a'], { environment })).code, 3);
  const port = await listen(t, (request) => request.socket.destroy());
  holdDataDir(dataDir, `http://127.0.0.1:${port}`);
  assert.equal((await runCli(['run', 'dig', 'name=a'], { environment })).code, 3);
  assert.equal((await runCli(['status'], { environment })).code, 3);
});

test('no key is sent to whoever listens at the address of a gateway that is gone', async (t) => {
  const { seen, answer } = answerWith(200, RESULT);
  const { environment, dataDir } = await gatewayIn(t, answer);
  const { code: control } = await runCli(['run', 'dig', 'name=a'], { environment });
  assert.equal(control, 0);
  const port = seen[0]?.request.socket.localPort;
  holdDataDir(dataDir, `http://127.0.0.1:${port}`, '1');
  assert.equal((await runCli(['run', 'dig', 'name=a'], { environment })).code, 3);
  assert.equal(seen.length, 1);
});

test('Ctrl-C closes the connection, which is how the gateway learns to end the run', async (t) => {
  const asked = Promise.withResolvers<IncomingMessage>();
  const { environment } = await gatewayIn(t, (request) => asked.resolve(request));
  const child = startCli(['run', 'dig', 'name=a'], { environment });
  const end = ended(child);
  const { socket } = await asked.promise;
  const closed = once(socket, 'close');
  child.kill('SIGINT');
  await closed;
  const { code, stderr } = await end;
  assert.equal(code, 130);
  assert.match(stderr, /cancelled/);
});
