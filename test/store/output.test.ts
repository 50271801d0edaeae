import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fuzz } from '../fixtures/fuzz.ts';
import { at, endedRun, newStore, sampleEvent, sampleRun } from './rig.ts';

test('chunks are kept in the order of the calls, and any part is read back exactly', async (t) => {
  const { store } = await newStore(t);
  const property = fc.asyncProperty(
    fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 600_000 }), fc.boolean()), { maxLength: 6 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 700_000 }), fc.integer({ min: 0, max: 700_000 })), { maxLength: 4 }),
    async (chunks, ranges) => {
      const run = sampleRun();
      await store.runs.create(run, { event: sampleEvent(1) });
      const kept = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
      const appended = chunks.map(([isError, length, isNoise]) => {
        const stream = isError ? 'stderr' : 'stdout';
        const bytes = isNoise ? randomBytes(length) : Buffer.alloc(length, `${length} `);
        kept[stream] = Buffer.concat([kept[stream], bytes]);
        return store.output.append(run.runId, stream, bytes);
      });
      await Promise.all(appended);
      for (const stream of ['stdout', 'stderr'] as const) {
        for (const [offset, limit] of [...ranges, [0, 10_000_000] as const]) {
          const { bytes, total } = await store.output.read(run.runId, stream, { offset, limit });
          assert.equal(total, kept[stream].length);
          assert.ok(bytes.equals(kept[stream].subarray(offset, offset + limit)));
        }
      }
      await store.runs.change({ runId: run.runId, from: 'queued', patch: { state: 'lost' }, events: [] });
      await store.runs.remove(run.runId);
    },
  );
  await fuzz(t, property);
});

test('a chunk is the caller’s again: it is not emptied by keeping it, nor changed in the store by the caller', async (t) => {
  const { store } = await newStore(t);
  const runId = await endedRun(store);
  const chunk = Buffer.from('first');
  const kept = store.output.append(runId, 'stdout', chunk);
  assert.equal(chunk.toString(), 'first');
  chunk.fill('x');
  await kept;
  assert.equal((await store.output.read(runId, 'stdout', { offset: 0, limit: 9 })).bytes.toString(), 'first');
});

test('output of a run that is not there is refused, and reading it is empty', async (t) => {
  const { store } = await newStore(t);
  await assert.rejects(store.output.append('run_none', 'stdout', Buffer.from('x')), { code: 'ERR_RUN_UNKNOWN' });
  assert.deepEqual(await store.output.read('run_none', 'stdout', { offset: 5, limit: 9 }), {
    bytes: Buffer.alloc(0),
    total: 0,
  });
  assert.equal(store.fault(), undefined);
});

test('a sweep takes the oldest ended output first, by age and then by size, and never that of a running run', async (t) => {
  const { store } = await newStore(t);
  const fill = (runId: string) => store.output.append(runId, 'stdout', randomBytes(1000));
  const ended: string[] = [];
  for (const time of [1000, 2000, 3000, 4000]) {
    const run = sampleRun({ state: 'running', createdAt: at(time) });
    await store.runs.create(run, { event: sampleEvent(1) });
    await fill(run.runId);
    const stdout = { bytes: 1000, truncated: false, keptBytes: 1000, sha256: null };
    const patch = { state: 'succeeded' as const, endedAt: at(time), stdout };
    await store.runs.change({ runId: run.runId, from: 'running', patch, events: [] });
    ended.push(run.runId);
  }
  const going = sampleRun({ state: 'running', createdAt: at(500) });
  await store.runs.create(going, { event: sampleEvent(1) });
  await fill(going.runId);

  assert.deepEqual(await store.output.sweep({ before: 0, maxBytes: 5000 }), { runs: [], bytes: 0, keptBytes: 5000 });
  const byAge = await store.output.sweep({ before: 2000, maxBytes: 5000 });
  assert.deepEqual(byAge, { runs: [ended[0]], bytes: 1000, keptBytes: 4000 });
  const bySize = await store.output.sweep({ before: 0, maxBytes: 2500 });
  assert.deepEqual(bySize, { runs: [ended[1], ended[2]], bytes: 2000, keptBytes: 2000 });
  const all = await store.output.sweep({ before: 9000, maxBytes: 0 });
  assert.deepEqual(all, { runs: [ended[3]], bytes: 1000, keptBytes: 1000 });
  assert.equal((await store.output.read(going.runId, 'stdout', { offset: 0, limit: 1 })).total, 1000);
  for (const runId of ended) {
    assert.equal((await store.output.read(runId, 'stdout', { offset: 0, limit: 1 })).total, 0);
    assert.deepEqual((await store.runs.get(runId))?.stdout, {
      bytes: 1000,
      truncated: false,
      keptBytes: 0,
      sha256: null,
    });
  }
});

test('a sweep of very much goes on until it is done, and gives the room back', async (t) => {
  const { store } = await newStore(t);
  await Promise.all(
    Array.from({ length: 150 }, async () => {
      const runId = await endedRun(store);
      await store.output.append(runId, 'stderr', randomBytes(40_000));
    }),
  );
  const before = await store.size();
  const { runs, keptBytes } = await store.output.sweep({ before: 0, maxBytes: 0 });
  assert.equal(runs.length, 150);
  assert.equal(keptBytes, 0);
  await store.close();
  assert.ok((await store.size()) < before / 4);
});
