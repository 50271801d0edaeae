import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followRun, positionOf } from '../../../src/core/run/follow.ts';
import type { HistoryParts } from '../../../src/core/run/history-parts.ts';
import { createRunHub } from '../../../src/core/run/hub.ts';
import { openJournal } from '../../../src/core/run/journal.ts';
import type { RunEvent } from '../../../src/core/run/types.ts';
import { engineFixture } from '../../fixtures/engine.ts';
import { memoryStore } from '../../fixtures/memory-store.ts';

const texts = { clean: (text: string, maxLength: number) => text.slice(0, maxLength), mask: <T>(value: T) => value };
const never = new AbortController().signal;

/** A running run with its journal, and a way to follow it. */
async function runningRun() {
  const store = memoryStore();
  const waiting = engineFixture({
    store,
    gate: { admit: () => ({ run: () => new Promise<never>(() => undefined), leave: () => undefined }) },
  });
  const { runId } = await waiting.start();
  const kept = store.kept.get(runId);
  assert.ok(kept !== undefined);
  const hub = createRunHub();
  let now = 0;
  const clock = { now: () => 1_700_000_000_000 + now, monotonic: () => now };
  const none = () => undefined;
  const log = { info: none, warn: none, error: none };
  const journal = openJournal({ runs: store.runs, hub, clock, log }, { run: kept.run, lastSeq: 1 });
  await journal.start({}, texts);
  const parts = { store, hub } as unknown as HistoryParts;
  const follow = (after = 0, signal: AbortSignal = never) => followRun(parts, { runId, after, signal });
  const pass = (ms: number) => {
    now += ms;
  };
  return { runId, journal, follow, hub, pass, store };
}

const finding = (key: string) =>
  ({
    kind: 'finding',
    message: `found ${key}`,
    draft: { kind: 'note', target: 'h', key, title: key, severity: 'info', confidence: 'firm' },
  }) as const;

async function collect(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test('whoever follows from the beginning gets every state and finding in order, and the stream ends with the run', async () => {
  const { journal, follow, hub } = await runningRun();
  const reading = collect(follow());
  for (let at = 0; at < 250; at += 1) journal.note(finding(`f${at}`));
  await journal.end({ state: 'succeeded', patch: {} });
  const events = await reading;
  const stored = events.filter(({ id }) => id !== undefined);
  assert.deepEqual(
    stored.map(({ id }) => Number(id?.split(':')[1])),
    stored.map((_event, at) => at + 1),
  );
  assert.equal(stored.filter(({ type }) => type === 'finding').length, 250);
  assert.deepEqual(
    stored.filter(({ type }) => type === 'state').map(({ data }) => data['state']),
    ['queued', 'running', 'succeeded'],
  );
  assert.equal(hub.followers, 0, 'nothing is held for a reader that has left');
});

test('a reader that comes back goes on behind the last event that it had', async () => {
  const { runId, journal, follow } = await runningRun();
  for (const key of ['a', 'b', 'c']) journal.note(finding(key));
  await journal.end({ state: 'failed', patch: { error: { code: 'ERR_TOOL_FAILED', message: 'x' } } });
  const all = await collect(follow());
  const last = all[2]?.id;
  const rest = await collect(follow(positionOf(runId, last)));
  assert.deepEqual(rest, all.slice(3));
  assert.throws(() => positionOf(runId, 'other-run:2'), { code: 'ERR_INPUT_INVALID' });
  assert.throws(() => positionOf(runId, '2'), { code: 'ERR_INPUT_INVALID' });
});

test('a reader that never asks costs its place, loses progress in between and no finding', async () => {
  const { journal, follow, hub, pass } = await runningRun();
  const slow = follow()[Symbol.asyncIterator]();
  await slow.next();
  for (let at = 0; at < 5000; at += 1) {
    journal.note({ kind: 'progress', percent: at / 50 });
    pass(1);
  }
  journal.note(finding('late'));
  assert.equal(hub.followers, 1);
  await journal.end({ state: 'succeeded', patch: {} });
  const rest: RunEvent[] = [];
  for (let next = await slow.next(); next.done !== true; next = await slow.next()) rest.push(next.value);
  const progress = rest.filter(({ type }) => type === 'progress').length;
  assert.ok(progress > 0 && progress <= 10, `${progress} of 5000 progress events were kept`);
  assert.equal(rest.filter(({ type }) => type === 'finding').length, 1);
});

test('a reader that leaves while it waits is let go of', async () => {
  const { follow, hub } = await runningRun();
  const leaving = new AbortController();
  const reading = collect(follow(0, leaving.signal));
  while (hub.followers === 0) await new Promise((done) => setImmediate(done));
  leaving.abort();
  await reading;
  assert.equal(hub.followers, 0);
});

test('what the store could not take comes with the next write, in order and once', async () => {
  const { journal, follow, store } = await runningRun();
  journal.note(finding('first'));
  store.fail(true);
  await assert.rejects(journal.end({ state: 'succeeded', patch: {} }));
  store.fail(false);
  journal.note(finding('second'));
  await journal.end({ state: 'succeeded', patch: {} });
  const events = await collect(follow());
  assert.deepEqual(
    events.map(({ type, data }) => (type === 'state' ? data['state'] : data['message'])),
    ['queued', 'running', 'found first', 'found second', 'succeeded'],
  );
});

test('what was stated live and is not in the final result is taken back, and the counts are those of the result', async () => {
  const { journal, store, runId } = await runningRun();
  for (const key of ['a', 'b']) journal.note(finding(key));
  await new Promise((done) => setTimeout(done, 400));
  const kept = store.kept.get(runId);
  assert.equal(kept?.observations.size, 2, 'what is live is stored before the end');
  const { draft } = finding('b');
  await journal.end({ state: 'succeeded', patch: {}, findings: [draft, { ...draft, key: 'c' }], isWhole: true });
  assert.deepEqual(
    [...(kept?.observations.values() ?? [])].map((each) => each.draft.key),
    ['b', 'c'],
  );
  assert.equal(kept?.run.findings.total, 2);
});

test('a part of a result only adds: what was stated live stays', async () => {
  const { journal, store, runId } = await runningRun();
  for (const key of ['a', 'b']) journal.note(finding(key));
  const { draft } = finding('c');
  await journal.end({ state: 'timed_out', patch: {}, findings: [draft] });
  const kept = store.kept.get(runId);
  assert.deepEqual(
    [...(kept?.observations.values() ?? [])]
      .map((each) => each.draft.key ?? '')
      .toSorted((one, other) => (one < other ? -1 : 1)),
    ['a', 'b', 'c'],
  );
  assert.equal(kept?.run.findings.total, 3);
});
