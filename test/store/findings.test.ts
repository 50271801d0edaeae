import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, endedRun, newStore, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

test('one fact of one owner is one finding over all runs, and each run keeps what it saw', async (t) => {
  const { store } = await newStore(t);
  const before = await endedRun(store, {
    time: 1000,
    observations: [sampleObservation(1, { severity: 'low', key: 'k' })],
  });
  const after = await endedRun(store, {
    time: 2000,
    observations: [sampleObservation(1, { severity: 'high', title: 'new' })],
  });
  const { items } = await store.findings.list({ limit: 10 });
  assert.equal(items.length, 1);
  const [now] = items;
  assert.equal(now?.severity, 'high');
  assert.deepEqual([now?.firstSeen, now?.lastSeen, now?.runId], [at(1000), at(2000), after]);
  const [then] = (await store.findings.ofRun(before, { limit: 10 })).items;
  assert.deepEqual(then, { ...now, severity: 'low', title: 'finding 1', runId: before });
  const [seen] = await store.findings.byFingerprint(before, { limit: 10 });
  assert.deepEqual(seen, { finding: then, digest: sampleObservation(1).digest, key: 'k' });
  assert.match(now?.id ?? '', /^fnd_[\w-]{22}$/);
  assert.ok(!('key' in (now ?? {})));
});

test('the same fact of two owners is two findings with different ids', async (t) => {
  const { store } = await newStore(t);
  for (const owner of ['key_a', 'key_b'])
    await endedRun(store, { run: { owner }, observations: [sampleObservation(1)] });
  const { items } = await store.findings.list({ limit: 10 });
  assert.equal(new Set(items.map(({ id }) => id)).size, 2);
  assert.equal((await store.findings.list({ owner: 'key_a', limit: 10 })).items.length, 1);
  assert.equal((await store.findings.list({ owner: 'key_c', limit: 10 })).items.length, 0);
});

test('a late statement of an older run does not hide what a newer one saw', async (t) => {
  const { store } = await newStore(t);
  const older = sampleRun({ state: 'running' });
  await store.runs.create(older, { event: sampleEvent(1) });
  const newer = await endedRun(store, { time: 5000, observations: [sampleObservation(1, { title: 'newer' })] });
  const events = [sampleEvent(2, 4000)];
  await store.runs.change({
    runId: older.runId,
    from: 'running',
    patch: {},
    events,
    observations: [sampleObservation(1)],
  });
  const [found] = (await store.findings.list({ limit: 1 })).items;
  assert.deepEqual(
    [found?.title, found?.runId, found?.firstSeen, found?.lastSeen],
    ['newer', newer, at(4000), at(5000)],
  );
});

test('after a run is removed its findings are as if it had never been', async (t) => {
  const { store } = await newStore(t);
  const runs = [1000, 2000, 3000].map((time) =>
    endedRun(store, {
      time,
      observations: [sampleObservation(1, { title: `at ${time}`, port: time }), sampleObservation(time)],
    }),
  );
  const [first = '', second = '', third = ''] = await Promise.all(runs);
  await store.runs.remove(third);
  const shared = async () => (await store.findings.list({ port: 2000, limit: 9 })).items[0];
  assert.deepEqual(await shared().then((each) => [each?.title, each?.lastSeen, each?.runId]), [
    'at 2000',
    at(2000),
    second,
  ]);
  assert.equal((await store.findings.list({ port: 3000, limit: 9 })).items.length, 0);
  await store.runs.remove(first);
  assert.equal((await shared())?.firstSeen, at(2000));
  assert.equal((await store.findings.list({ limit: 9 })).items.length, 2);
  await store.runs.remove(second);
  assert.deepEqual((await store.findings.list({ limit: 9 })).items, []);
  assert.deepEqual(await store.check(), []);
});

test('a fingerprint or digest that is none is refused with the whole change', async (t) => {
  const { store } = await newStore(t);
  const run = sampleRun({ state: 'running' });
  await store.runs.create(run, { event: sampleEvent(1) });
  for (const wrong of ['', 'x', `${'a'.repeat(31)}G`, 'a'.repeat(33), 'A'.repeat(32)]) {
    for (const field of ['fingerprint', 'digest']) {
      const observations = [sampleObservation(1), { ...sampleObservation(2), [field]: wrong }];
      const change = { runId: run.runId, from: 'running' as const, patch: {}, events: [sampleEvent(2)], observations };
      await assert.rejects(store.runs.change(change), { code: 'ERR_INTERNAL' }, wrong);
    }
  }
  assert.deepEqual((await store.findings.list({ limit: 9 })).items, []);
  assert.equal((await store.runs.events(run.runId, 0, 9)).length, 1);
});
