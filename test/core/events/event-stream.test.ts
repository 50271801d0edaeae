import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { type EventSink, eventFrame, eventStreamHeaders, pumpEvents } from '../../../src/core/events/event-stream.ts';
import { createStreamPlaces } from '../../../src/core/events/stream-places.ts';

/** A sink that is full after so many texts, until the test reads. */
class FakeSink extends EventEmitter implements EventSink {
  readonly texts: string[] = [];
  destroyed = false;
  writableNeedDrain = false;
  readonly #room: number;
  constructor(room: number) {
    super();
    this.#room = room;
  }
  write(text: string): boolean {
    this.texts.push(text);
    this.writableNeedDrain = this.texts.length >= this.#room;
    return !this.writableNeedDrain;
  }
  read(): void {
    this.texts.length = 0;
    this.writableNeedDrain = false;
    this.emit('drain');
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** Events without end; says how many were pulled and whether it was let go. */
function endless() {
  const source = { pulled: 0, isReturned: false };
  async function* events() {
    try {
      for (;;) {
        source.pulled += 1;
        yield { id: String(source.pulled), type: 'finding', data: {} };
      }
    } finally {
      source.isReturned = true;
    }
  }
  return Object.assign(source, { events: events() });
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
};

test('an event is id, type and one line of data, whatever the data holds', () => {
  const data = { text: 'a\nid: forged\r\n\r\ndata: {}\u2028' };
  const frame = eventFrame({ id: 'run:1', type: 'finding', data });
  const lines = frame.split(/\r\n|\n|\r/);
  assert.deepEqual(lines.slice(0, 2), ['id: run:1', 'event: finding']);
  assert.deepEqual(lines.slice(3), ['', '']);
  assert.deepEqual(JSON.parse(lines[2]?.slice('data: '.length) ?? ''), data);
  assert.ok(!eventFrame({ type: 'output', data: {} }).includes('id:'), 'what cannot be read again has no id');
});

test('a stream carries the headers of every answer and is kept by no cache', () => {
  const headers = eventStreamHeaders({ 'x-request-id': 'r', 'cache-control': 'public', 'x-list': 5 });
  assert.equal(headers['x-request-id'], 'r');
  assert.equal(headers['x-list'], '5');
  assert.equal(headers['cache-control'], 'no-store');
});

test('no more is pulled than is read', async () => {
  const sink = new FakeSink(10);
  const source = endless();
  const pumped = pumpEvents(source.events, { sink });
  await turns(100);
  assert.equal(source.pulled, 10);
  sink.read();
  await turns(100);
  assert.equal(source.pulled, 20);
  sink.destroy();
  await pumped;
  assert.equal(source.isReturned, true);
  assert.equal(sink.listenerCount('drain') + sink.listenerCount('close'), 0);
});

test('a quiet stream is kept alive by comments, and a full one gets none', async () => {
  const sink = new FakeSink(3);
  const quiet = Promise.withResolvers<void>();
  async function* events() {
    await quiet.promise;
    yield { type: 'state', data: {} };
  }
  const pumped = pumpEvents(events(), { sink, keepAliveMs: 1 });
  while (sink.texts.length < 3) await turns(1);
  assert.deepEqual(new Set(sink.texts), new Set([': keep-alive\n\n']));
  // Eight beats without reading: its place is given to somebody else.
  while (!sink.destroyed) await turns(1);
  assert.equal(sink.texts.length, 3);
  quiet.resolve();
  await pumped;
});

test('a slow reader is no dead one: each reading begins the count anew', async () => {
  const sink = new FakeSink(1);
  const source = endless();
  const pumped = pumpEvents(source.events, { sink, keepAliveMs: 2 });
  const beats = { count: 0 };
  const counter = setInterval(() => (beats.count += 1), 2);
  while (beats.count < 40) {
    sink.read();
    await turns(1);
  }
  clearInterval(counter);
  assert.equal(sink.destroyed, false);
  sink.destroy();
  await pumped;
});

test('what fails in the source is told to whoever pumps, and nothing goes on', async () => {
  const sink = new FakeSink(10);
  async function* events() {
    yield { type: 'state', data: {} };
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'Gone.');
  }
  await assert.rejects(pumpEvents(events(), { sink }), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.equal(sink.listenerCount('drain'), 0);
});

test('places are limited for one owner and in all, and a place is given back once', () => {
  const told: number[] = [];
  const places = createStreamPlaces(
    () => ({ eventStreams: 3, eventStreamsPerPrincipal: 2 }),
    (taken) => void told.push(taken),
  );
  const giveBack = places.take('ann');
  places.take('ann');
  assert.throws(() => places.take('ann'), { code: 'ERR_RATE_LIMITED' });
  places.take('ben');
  assert.throws(() => places.take('cat'), { code: 'ERR_OVERLOADED' });
  giveBack();
  giveBack();
  places.take('cat');
  assert.throws(() => places.take('cat'), { code: 'ERR_OVERLOADED' });
  assert.deepEqual(told, [1, 2, 3, 2, 3]);
});
