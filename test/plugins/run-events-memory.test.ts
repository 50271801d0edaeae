import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { FollowPosition, RunEvent } from '../../src/core/run/types.ts';
import { fakeHistory, RUN_ID, startRest } from '../fixtures/fake-history.ts';

const STREAMS = 200;
const EVENT_BYTES = 32_768;
/** More than the kernel takes for a connection that nobody reads, so that what it does not take would be held here. */
const READ_BYTES = 12 * 1_048_576;
/** What one stream that nobody reads may hold of this process: a full socket buffer and what belongs to a connection. */
const MAX_BYTES_PER_STREAM = 262_144;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes in use, garbage not counted. */
function used(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  // External memory includes that of array buffers.
  return heapUsed + external;
}
const turn = () => new Promise(setImmediate);

test(`${STREAMS} streams of which half never read hold bounded memory, and the others are served`, async (t) => {
  const text = 'x'.repeat(EVENT_BYTES);
  const follow = async (_who: unknown, _runId: string, { signal }: FollowPosition) =>
    (async function* (): AsyncGenerator<RunEvent> {
      for (let seq = 1; !signal.aborted; seq += 1) {
        yield { id: `${RUN_ID}:${seq}`, type: 'finding', data: { text } };
        // As from a store: the other streams have their turn between two events.
        await turn();
      }
    })();
  const streams = { eventStreams: STREAMS, eventStreamsPerPrincipal: STREAMS };
  const app = await startRest(t, { history: fakeHistory({ follow }), streams });
  const responses: Socket[] = [];
  app.server.on('connection', (socket) => responses.push(socket));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const before = used();

  const idle: Socket[] = [];
  const reading: Socket[] = [];
  t.after(() => {
    for (const socket of [...idle, ...reading]) socket.destroy();
  });
  const received = new Map<Socket, number>();
  for (let count = 0; count < STREAMS; count += 1) {
    const socket = connect({ port, host: '127.0.0.1' });
    const isIdle = count % 2 === 0;
    if (isIdle) socket.pause();
    else socket.on('data', (chunk) => void received.set(socket, (received.get(socket) ?? 0) + chunk.length));
    socket.on('error', () => undefined);
    (isIdle ? idle : reading).push(socket);
    await once(socket, 'connect');
    socket.write(`GET /v1/runs/${RUN_ID}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
  while (!reading.every((socket) => (received.get(socket) ?? 0) > READ_BYTES)) await turn();
  const growth = used() - before;
  const unread = responses.map((socket) => socket.writableLength);
  assert.ok(Math.max(...unread) < MAX_BYTES_PER_STREAM, `one stream holds ${Math.max(...unread)} bytes`);
  assert.ok(growth < STREAMS * MAX_BYTES_PER_STREAM, `${growth} bytes for ${STREAMS} streams`);
});
