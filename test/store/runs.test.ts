import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { RUN_STATES } from '../../schemas/run-record.ts';
import { openStore } from '../../src/store/store.ts';
import { endedRun, newStore, sampleEvent, sampleObservation, sampleResult, sampleRun } from './rig.ts';

const job = { input: { password: 'hunter2' }, options: {}, detached: true };

test('a run is created, changed and read again, also after the store was closed and opened', async (t) => {
  const { store, dataDir } = await newStore(t);
  const run = sampleRun();
  assert.deepEqual(await store.runs.create(run, { event: sampleEvent(1), job }), { kind: 'created' });
  assert.deepEqual(await store.runs.get(run.runId), run);
  assert.deepEqual(await store.runs.unfinished(), [{ run, job, lastSeq: 1 }]);
  const result = sampleResult(run.runId);
  const coverage = { areas: [{ kinds: ['port' as const] }], missing: ['x'] };
  const patch = { state: 'running' as const, argv: ['-sT'] };
  assert.equal(await store.runs.change({ runId: run.runId, from: 'queued', patch, events: [sampleEvent(2)] }), true);
  const end = {
    runId: run.runId,
    from: 'running' as const,
    patch: { state: 'succeeded' as const },
    events: [],
    result,
    coverage,
  };
  assert.equal(await store.runs.change(end), true);
  await store.close();

  const again = await openStore(dataDir);
  t.after(() => again.close());
  assert.deepEqual(await again.runs.get(run.runId), { ...run, ...patch, state: 'succeeded' });
  assert.deepEqual(await again.runs.result(run.runId), result);
  assert.deepEqual(await again.runs.coverage(run.runId), coverage);
  assert.deepEqual(await again.runs.events(run.runId, 0, 10), [sampleEvent(1), sampleEvent(2)]);
  assert.deepEqual(await again.runs.events(run.runId, 1, 10), [sampleEvent(2)]);
  assert.deepEqual(await again.runs.events(run.runId, 0, 1), [sampleEvent(1)]);
  assert.deepEqual(await again.runs.unfinished(), []);
  assert.deepEqual(again.cursorKey, store.cursorKey);
});

test('nothing changes unless the run is in the expected state, and a final state never changes', async (t) => {
  const { store } = await newStore(t);
  const run = sampleRun();
  await store.runs.create(run, { event: sampleEvent(1) });
  const change = { runId: run.runId, patch: { state: 'lost' as const }, events: [sampleEvent(2)] };
  assert.equal(await store.runs.change({ ...change, from: 'running' }), false);
  assert.equal(await store.runs.change({ ...change, from: 'queued', runId: 'run_other' }), false);
  assert.deepEqual(await store.runs.get(run.runId), run);
  assert.equal(await store.runs.change({ ...change, from: 'queued' }), true);
  for (const state of RUN_STATES.filter((each) => each !== 'lost')) {
    await assert.rejects(
      store.runs.change({ runId: run.runId, from: 'lost', patch: { state }, events: [] }),
      { code: 'ERR_INTERNAL' },
      state,
    );
  }
  assert.equal((await store.runs.get(run.runId))?.state, 'lost');
});

test('a change that fails in the middle leaves nothing of itself, and none beside it fails with it', async (t) => {
  const { store } = await newStore(t);
  const runs = Array.from({ length: 20 }, () => sampleRun());
  await Promise.all(runs.map((run) => store.runs.create(run, { event: sampleEvent(1) })));
  const outcomes = await Promise.allSettled(
    runs.map(({ runId }, index) =>
      store.runs.change({
        runId,
        from: 'queued',
        patch: { state: 'running' },
        // A gap in the numbers is refused after the record was written already.
        events: [sampleEvent(index % 3 === 0 ? 3 : 2)],
        observations: [sampleObservation(index)],
      }),
    ),
  );
  for (const [index, run] of runs.entries()) {
    const isRefused = index % 3 === 0;
    assert.equal(outcomes[index]?.status, isRefused ? 'rejected' : 'fulfilled');
    assert.equal((await store.runs.get(run.runId))?.state, isRefused ? 'queued' : 'running');
    assert.equal((await store.runs.events(run.runId, 0, 9)).length, isRefused ? 1 : 2);
    assert.equal((await store.findings.ofRun(run.runId, { limit: 9 })).items.length, isRefused ? 0 : 1);
  }
  assert.equal(store.fault(), undefined);
});

test('the identity of a run cannot be changed, and no run is created twice', async (t) => {
  const { store } = await newStore(t);
  const run = sampleRun();
  await store.runs.create(run, { event: sampleEvent(1) });
  for (const patch of [
    { owner: 'key_b' },
    { runId: 'x' },
    { tool: 'dig' },
    { createdAt: '2020-01-01T00:00:00.000Z' },
  ]) {
    const change = { runId: run.runId, from: 'queued' as const, patch, events: [] };
    await assert.rejects(store.runs.change(change), { code: 'ERR_INTERNAL' }, JSON.stringify(patch));
  }
  await assert.rejects(store.runs.create({ ...run, owner: 'key_b' }, { event: sampleEvent(1) }), {
    code: 'ERR_INTERNAL',
  });
  assert.deepEqual(await store.runs.get(run.runId), run);
  assert.equal(store.fault(), undefined);
});

test('the input of a queued run, which may hold a password, is gone from the file’s rows once it starts', async (t) => {
  const { store } = await newStore(t);
  const run = sampleRun();
  await store.runs.create(run, { event: sampleEvent(1), job });
  await store.runs.change({
    runId: run.runId,
    from: 'queued',
    patch: {},
    events: [],
    job: { ...job, detached: false },
  });
  assert.equal((await store.runs.unfinished())[0]?.job?.detached, false);
  await store.runs.change({ runId: run.runId, from: 'queued', patch: { state: 'running' }, events: [] });
  assert.deepEqual((await store.runs.unfinished())[0]?.job, undefined);
});

test('an idempotency key names one run of its owner until that run is removed', async (t) => {
  const { store } = await newStore(t);
  const create = (digest: string, run = sampleRun()) =>
    store.runs.create(run, { event: sampleEvent(1), idempotency: { key: 'k', digest } });
  const first = sampleRun({ state: 'failed' });
  assert.deepEqual(await create('d', first), { kind: 'created' });
  const other = sampleRun();
  assert.deepEqual(await create('d', other), { kind: 'known', runId: first.runId });
  assert.deepEqual(await create('e', other), { kind: 'conflict', runId: first.runId });
  assert.equal(await store.runs.get(other.runId), undefined);
  assert.deepEqual(await store.runs.byKey('key_a', 'k'), { runId: first.runId, digest: 'd' });
  assert.equal(await store.runs.byKey('key_b', 'k'), undefined);
  assert.deepEqual(await create('e', sampleRun({ owner: 'key_b' })), { kind: 'created' });
  assert.equal(await store.runs.remove(first.runId), true);
  assert.deepEqual(await create('e', other), { kind: 'created' });
});

test('a run that was withdrawn before it started gives its key to the next one', async (t) => {
  const { store } = await newStore(t);
  const create = (run: Run) =>
    store.runs.create(run, { event: sampleEvent(1), idempotency: { key: 'k', digest: 'd' } });
  await create(sampleRun({ state: 'cancelled', startedAt: null }));
  const next = sampleRun({ state: 'cancelled', startedAt: '2026-01-01T00:00:00.000Z' });
  assert.deepEqual(await create(next), { kind: 'created' });
  assert.deepEqual(await create(sampleRun()), { kind: 'known', runId: next.runId });
});

test('of many creations with one key at once exactly one is made', async (t) => {
  const { store } = await newStore(t);
  const creations = await Promise.all(
    Array.from({ length: 50 }, () =>
      store.runs.create(sampleRun(), { event: sampleEvent(1), idempotency: { key: 'same', digest: 'd' } }),
    ),
  );
  assert.equal(creations.filter(({ kind }) => kind === 'created').length, 1);
  assert.equal((await store.runs.list({ limit: 100 })).items.length, 1);
});

test('removing takes an ended run with everything that belongs to it, and no other', async (t) => {
  const { store } = await newStore(t);
  const going = sampleRun();
  await store.runs.create(going, { event: sampleEvent(1) });
  const [gone, kept] = [await endedRun(store), await endedRun(store)];
  for (const runId of [gone, kept]) {
    await store.output.append(runId, 'stdout', Buffer.from('text'));
    await store.secrets.keep({ owner: 'key_a', runId, tool: 'hydra', kind: 'password', value: runId }).kept;
  }
  assert.equal(await store.runs.remove(going.runId), false);
  assert.equal(await store.runs.remove('run_none'), false);
  assert.equal(await store.runs.remove(gone), true);
  assert.equal(await store.runs.remove(gone), false);
  assert.equal(await store.runs.get(gone), undefined);
  assert.deepEqual(await store.runs.events(gone, 0, 10), []);
  assert.equal((await store.output.read(gone, 'stdout', { offset: 0, limit: 9 })).total, 0);
  assert.equal((await store.output.read(kept, 'stdout', { offset: 0, limit: 9 })).total, 4);
  assert.deepEqual(
    (await store.secrets.recent(9)).map(({ value }) => value),
    [kept],
  );
  assert.deepEqual((await store.runs.list({ target: 'a.lab', limit: 9 })).items.length, 2);
  assert.deepEqual(await store.check(), []);
});

test('ended runs are found by age for retention, oldest first, and running ones are not', async (t) => {
  const { store } = await newStore(t);
  const [second, first] = [await endedRun(store, { time: 2000 }), await endedRun(store, { time: 1000 })];
  await endedRun(store, { time: 3000 });
  await store.runs.create(sampleRun(), { event: sampleEvent(1) });
  assert.deepEqual(await store.runs.endedBefore(3000, 10), [first, second]);
  assert.deepEqual(await store.runs.endedBefore(3000, 1), [first]);
});

test('a store that nobody uses keeps no process alive, and one that is closed answers with an error', async (t) => {
  const { store } = await newStore(t);
  await store.probe();
  await store.runs.list({ limit: 1 });
  const threads = process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker');
  assert.deepEqual(threads, []);
  const write = store.probe();
  await Promise.all([store.close(), store.close(), write]);
  await assert.rejects(store.probe(), { code: 'ERR_STORE_UNAVAILABLE' });
  await assert.rejects(store.runs.get('x'), { code: 'ERR_STORE_UNAVAILABLE' });
  await assert.rejects(store.keys.list(), { code: 'ERR_STORE_UNAVAILABLE' });
});
