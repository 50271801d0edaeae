import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { SallyportError } from '../../src/core/errors.ts';
import type { FollowPosition, RunEvent } from '../../src/core/run/types.ts';
import { fakeHistory, RUN_ID, startRest } from '../fixtures/fake-history.ts';

const URL = `/v1/runs/${RUN_ID}/events`;
const codeOf = (response: { json: () => unknown }) => (response.json() as { code: string }).code;
const event = (seq: number, data: object = {}): RunEvent => ({
  id: `${RUN_ID}:${seq}`,
  type: 'state',
  data: { ...data },
});

/** A history that follows with these events; the positions it was asked for are kept. */
function following(events: (at: FollowPosition) => AsyncIterable<RunEvent>) {
  const asked: FollowPosition[] = [];
  const follow = async (_who: unknown, _runId: string, at: FollowPosition) => {
    asked.push(at);
    return events(at);
  };
  return { history: fakeHistory({ follow }), asked };
}

/** Nothing until the signal aborts; afterwards `let go` is noted. */
function untilLeft(left: { count: number }) {
  return async function* ({ signal }: FollowPosition) {
    try {
      yield event(1);
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      left.count += 1;
    }
  };
}

async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

async function open(port: number, headers: Record<string, string> = {}) {
  const call = httpRequest({ port, path: URL, headers });
  call.on('error', () => undefined);
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return { response, close: () => call.destroy() };
}

const turn = () => new Promise(setImmediate);

test('the events of a run are a stream that ends after the last of them', async (t) => {
  const { history, asked } = following(async function* () {
    yield event(1, { state: 'queued' });
    yield { type: 'output', data: { text: 'a\nb' } };
    yield event(2, { state: 'succeeded' });
  });
  const response = await (await startRest(t, { history })).inject({ url: URL });
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.ok(response.headers['x-request-id']);
  assert.equal(
    response.body,
    [
      ': open\n\n',
      `id: ${RUN_ID}:1\nevent: state\ndata: {"state":"queued"}\n\n`,
      'event: output\ndata: {"text":"a\\nb"}\n\n',
      `id: ${RUN_ID}:2\nevent: state\ndata: {"state":"succeeded"}\n\n`,
    ].join(''),
  );
  assert.equal(asked[0]?.lastEventId, undefined);
});

test('Last-Event-ID goes to the history as it came, and what can be none is refused', async (t) => {
  const { history, asked } = following(async function* () {});
  const app = await startRest(t, { history });
  await app.inject({ url: URL, headers: { 'last-event-id': `${RUN_ID}:7` } });
  assert.equal(asked[0]?.lastEventId, `${RUN_ID}:7`);
  for (const id of ['', 'a b', 'ü', 'x'.repeat(513), 'a, b']) {
    const response = await app.inject({ url: URL, headers: { 'last-event-id': id } });
    assert.deepEqual([response.statusCode, codeOf(response)], [400, 'ERR_INPUT_INVALID'], id);
  }
  assert.equal(asked.length, 1);
});

test('what the history refuses is an answer as any other, and takes no place', async (t) => {
  const codes = ['ERR_RUN_UNKNOWN', 'ERR_INPUT_INVALID', 'ERR_STORE_UNAVAILABLE'] as const;
  for (const code of codes) {
    const follow = async () => Promise.reject(new SallyportError(code, 'No.'));
    const streams = { eventStreams: 1, eventStreamsPerPrincipal: 1 };
    const app = await startRest(t, { history: fakeHistory({ follow }), streams });
    for (let round = 0; round < 3; round += 1) {
      const response = await app.inject({ url: URL });
      assert.equal(codeOf(response), code);
      assert.match(String(response.headers['content-type']), /json/);
    }
  }
});

test('streams are limited for one principal and in all, and a reader that leaves gives its place up', async (t) => {
  const left = { count: 0 };
  const { history } = following(untilLeft(left));
  const app = await startRest(t, { history, streams: { eventStreams: 3, eventStreamsPerPrincipal: 2 } });
  const port = await listen(app);
  const ann = [await open(port, { 'x-as': 'ann' }), await open(port, { 'x-as': 'ann' })];
  const limited = await app.inject({ url: URL, headers: { 'x-as': 'ann' } });
  assert.deepEqual([limited.statusCode, codeOf(limited)], [429, 'ERR_RATE_LIMITED']);
  assert.ok(Number(limited.headers['retry-after']) >= 1);
  await open(port, { 'x-as': 'ben' });
  const full = await app.inject({ url: URL, headers: { 'x-as': 'cat' } });
  assert.deepEqual([full.statusCode, codeOf(full)], [503, 'ERR_OVERLOADED']);
  ann[0]?.close();
  while (left.count === 0) await turn();
  const after = await open(port, { 'x-as': 'cat' });
  assert.equal(after.response.statusCode, 200);
});

test('a stream whose source fails is broken off, never ended as if it were whole', async (t) => {
  const isOpen = Promise.withResolvers<void>();
  const { history } = following(async function* () {
    yield event(1);
    await isOpen.promise;
    throw new Error('the store is gone');
  });
  const port = await listen(await startRest(t, { history }));
  const { response } = await open(port);
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  isOpen.resolve();
  const [failed] = (await once(response, 'error')) as [NodeJS.ErrnoException];
  assert.equal(failed.code, 'ECONNRESET');
  assert.equal(response.complete, false);
  assert.ok(!text.includes('store is gone'));
});

test('closing the server ends every stream, also one that nobody reads', async (t) => {
  const left = { count: 0 };
  const big = 'x'.repeat(65_536);
  const { history } = following(({ signal }) =>
    (async function* () {
      try {
        yield event(1);
        while (!signal.aborted && left.count === 0) yield event(2, { big });
      } finally {
        left.count += 1;
      }
    })(),
  );
  const quiet = following(untilLeft(left));
  const [flooding, waiting] = [await startRest(t, { history }), await startRest(t, { history: quiet.history })];
  const unread = await open(await listen(flooding));
  unread.response.pause();
  const read = await open(await listen(waiting));
  const ended = once(read.response.resume(), 'end');
  const stuck = () => flooding.server.listening && unread.response.readableLength > 0;
  while (!stuck()) await turn();
  await Promise.all([flooding.close(), waiting.close(), ended]);
  assert.equal(left.count, 2);
  assert.equal(read.response.complete, true);
});
