import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedRun, newStore, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

test('what a run takes back goes, unless another run saw it too', async (t) => {
  const { store } = await newStore(t);
  const other = await endedRun(store, { time: 1000, observations: [sampleObservation(1)] });
  const run = sampleRun({ state: 'running' });
  await store.runs.create(run, { event: sampleEvent(1) });
  const observations = [sampleObservation(1, { title: 'again' }), sampleObservation(2), sampleObservation(3)];
  const change = { runId: run.runId, from: 'running', patch: {} } as const;
  assert.ok(await store.runs.change({ ...change, events: [sampleEvent(2)], observations }));
  const [shared, alone, kept] = observations.map(({ fingerprint }) => fingerprint);
  assert.ok(shared !== undefined && alone !== undefined && kept !== undefined);
  const withdrawn = [shared, alone, 'f'.repeat(32)];
  assert.ok(await store.runs.change({ ...change, events: [sampleEvent(3)], withdrawn }));
  const of = async (runId: string) =>
    (await store.findings.ofRun(runId, { limit: 10 })).items.map((each) => each.fingerprint);
  assert.deepEqual(await of(run.runId), [kept]);
  assert.deepEqual(await of(other), [shared]);
  const { items } = await store.findings.list({ limit: 10 });
  assert.deepEqual(items.map(({ fingerprint }) => fingerprint).toSorted(), [shared, kept].toSorted());
  const last = items.find(({ fingerprint }) => fingerprint === shared);
  assert.deepEqual([last?.runId, last?.title], [other, 'finding 1'], 'it shows what the other run saw');
  assert.deepEqual(await store.check(), []);
});
