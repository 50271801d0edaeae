import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { SallyportError } from '../../src/core/errors.ts';
import { fakeEngine, RUN_ID, SAMPLE_RESULT, sampleRun, startRest } from '../fixtures/fake-history.ts';

const URL = '/v1/tools/echo/runs';
const codeOf = (response: { json: () => unknown }) => (response.json() as { code: string }).code;
const post = (app: FastifyInstance, headers: Record<string, string> = {}, run?: object) =>
  app.inject({ method: 'POST', url: URL, headers, payload: { input: { word: 'x' }, ...(run && { run }) } });

test('a run that ends in time is 200 with its whole answer', async (t) => {
  const engine = fakeEngine();
  engine.end.resolve(SAMPLE_RESULT);
  const app = await startRest(t, { engine, inlineWaitMs: 60_000 });
  const response = await post(app);
  assert.equal(response.statusCode, 200);
  assert.deepEqual(response.json(), SAMPLE_RESULT);
  assert.equal(response.headers['preference-applied'], undefined);
  assert.equal(response.headers['idempotency-replayed'], undefined);
  assert.deepEqual(engine.detached, []);
  assert.equal((await post(app, { prefer: 'wait=10' })).headers['preference-applied'], 'wait=10');
});

test('a wait that ends first is 202 with the place and the record of the run, which is detached before', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine, inlineWaitMs: 60_000 });
  const answers = [
    [await post(app, { prefer: 'respond-async' }), 'respond-async'],
    [await post(app, { prefer: 'wait=0' }), 'wait=0'],
    [await post(app, { prefer: 'respond-async, wait=0' }), 'respond-async, wait=0'],
    [await post(app, {}, { waitMs: 1 }), undefined],
    [await post(app, { prefer: 'respond-async' }, { waitMs: 1 }), 'respond-async'],
  ] as const;
  for (const [response, applied] of answers) {
    assert.equal(response.statusCode, 202);
    assert.equal(response.headers['location'], `/v1/runs/${RUN_ID}`);
    assert.equal(response.headers['retry-after'], '1');
    assert.equal(response.headers['preference-applied'], applied);
    assert.deepEqual(response.json(), sampleRun());
  }
  assert.equal(engine.detached.length, answers.length);
});

test('without a preference the configured time is waited', async (t) => {
  const app = await startRest(t, { inlineWaitMs: 1 });
  assert.equal((await post(app)).statusCode, 202);
});

test('an error of a run that is waited for is that error', async (t) => {
  const engine = fakeEngine();
  engine.end.reject(new SallyportError('ERR_TOOL_TIMEOUT', 'Slow.', { details: { run: SAMPLE_RESULT } }));
  const app = await startRest(t, { engine, inlineWaitMs: 60_000 });
  const response = await post(app);
  assert.equal(response.statusCode, 504);
  assert.equal(codeOf(response), 'ERR_TOOL_TIMEOUT');
});

test('what cannot be meant is refused before a run is started', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine });
  const refused = [
    await post(app, { prefer: 'wait=1' }, { waitMs: 1000 }),
    await post(app, { prefer: 'wait=soon' }),
    await post(app, { prefer: 'wait=3601' }),
    await post(app, {}, { maxTokens: 4000 }),
    await post(app, {}, { waitMs: '5' }),
    await post(app, {}, { waitMs: 3_600_001 }),
    await post(app, { 'idempotency-key': '' }),
    await post(app, { 'idempotency-key': 'x'.repeat(256) }),
    await post(app, { 'idempotency-key': '"a", "b"' }),
  ];
  for (const response of refused) {
    assert.equal(response.statusCode, 400, response.body);
    assert.equal(codeOf(response), 'ERR_INPUT_INVALID');
  }
  assert.equal(engine.calls.length, 0);
});

test('how long is waited is no part of what is asked, so that a repeat may wait otherwise', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine });
  await post(app, { 'idempotency-key': '"k"' }, { timeoutMs: 5000, waitMs: 0 });
  await post(app, { 'idempotency-key': 'k', prefer: 'respond-async' }, { timeoutMs: 5000 });
  assert.deepEqual(
    engine.calls.map(({ run, idempotencyKey }) => ({ run, idempotencyKey })),
    Array.from({ length: 2 }, () => ({ run: { timeoutMs: 5000 }, idempotencyKey: 'k' })),
  );
});

test('a repeat of an idempotency key is the same run: 202 while it goes on, 200 with its answer once it ended', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine });
  const headers = { 'idempotency-key': '"once"', prefer: 'respond-async' };
  assert.equal((await post(app, headers)).headers['idempotency-replayed'], undefined);
  const going = await post(app, headers);
  assert.equal(going.statusCode, 202);
  assert.equal(going.headers['idempotency-replayed'], 'true');
  engine.state = 'succeeded';
  engine.end.resolve(SAMPLE_RESULT);
  const ended = await post(app, headers);
  assert.equal(ended.statusCode, 200);
  assert.equal(ended.headers['idempotency-replayed'], 'true');
  assert.deepEqual(ended.json(), SAMPLE_RESULT);
});

test('a repeat of a run that failed is its error, and says that it is a repeat', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine });
  const headers = { 'idempotency-key': 'k', prefer: 'respond-async' };
  await post(app, headers);
  engine.state = 'failed';
  engine.end.reject(new SallyportError('ERR_TOOL_FAILED', 'It broke.'));
  const response = await post(app, headers);
  assert.equal(response.statusCode, 502);
  assert.equal(response.headers['idempotency-replayed'], 'true');
});

test('a repeat detaches the run before it waits: the first connection, found dead later, must not end it', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine });
  await post(app, { 'idempotency-key': 'k', prefer: 'respond-async' });
  engine.detached.length = 0;
  const waiting = post(app, { 'idempotency-key': 'k', prefer: 'wait=60' });
  while (engine.detached.length === 0) await new Promise(setImmediate);
  engine.end.resolve(SAMPLE_RESULT);
  assert.equal((await waiting).statusCode, 200);
});

test('a client that leaves aborts its call, unless it asked respond-async', async (t) => {
  const engine = fakeEngine();
  const app = await startRest(t, { engine, inlineWaitMs: 60_000 });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const leave = async (prefer: string) => {
    const before = engine.calls.length;
    const headers = { 'content-type': 'application/json', prefer };
    const call = httpRequest({ port, method: 'POST', path: URL, headers });
    call.on('error', () => undefined);
    const closed = new Promise((resolve) => {
      app.server.once('connection', (socket) => socket.once('close', resolve));
    });
    call.end(JSON.stringify({ input: { word: 'x' } }));
    while (engine.calls.length === before) await new Promise(setImmediate);
    call.destroy();
    await closed;
    // One more round trip: what the closing sets off has happened by then.
    await app.inject({ url: '/v1/runs' });
    return engine.calls.at(-1)?.signal.aborted;
  };
  assert.equal(await leave('wait=60'), true);
  assert.equal(await leave('respond-async, wait=60'), false);
  engine.end.resolve(SAMPLE_RESULT);
  await once(app.server.close(), 'close');
});
