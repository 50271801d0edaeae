import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import { endedRun, newDirectory, newStore, sampleEvent, sampleRun } from './rig.ts';

test('a backup taken while others write is whole, private, and opens as a store', async (t) => {
  const { store } = await newStore(t);
  const runs = [await endedRun(store), await endedRun(store)];
  const target = newDirectory();
  const path = join(target, 'copy.db');
  const over = new AbortController();
  const writing = (async () => {
    while (!over.signal.aborted) await store.runs.create(sampleRun(), { event: sampleEvent(1) });
  })();
  await store.backup(path);
  over.abort();
  await writing;
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(target), ['copy.db']);

  const dataDir = newDirectory();
  copyFileSync(path, join(dataDir, 'sallyport.db'));
  const restored = await openStore(dataDir);
  t.after(() => restored.close());
  for (const runId of runs) assert.deepEqual(await restored.runs.get(runId), await store.runs.get(runId));
  assert.deepEqual(restored.cursorKey, store.cursorKey);
  assert.deepEqual(await restored.check(), []);
  await restored.probe();
});

test('a backup overwrites nothing, follows no link and says what is wrong with the place', async (t) => {
  const { store } = await newStore(t);
  const target = newDirectory();
  const victim = join(target, 'victim');
  writeFileSync(victim, 'keep');
  symlinkSync(victim, join(target, 'link'));
  symlinkSync(join(target, 'nowhere'), join(target, 'dangling'));
  for (const name of ['victim', 'link', 'dangling', '.', 'no directory/copy.db']) {
    await assert.rejects(store.backup(join(target, name)), { code: 'ERR_INPUT_INVALID' }, name);
  }
  assert.equal(readFileSync(victim, 'utf8'), 'keep');
  assert.deepEqual(readdirSync(target).sort(), ['dangling', 'link', 'victim']);
  assert.equal(store.fault(), undefined);
});

test('the size is that of the file with its log', async (t) => {
  const { store, path } = await newStore(t);
  await store.probe();
  assert.equal(await store.size(), statSync(path).size + statSync(`${path}-wal`).size);
});

test('a long question does not hold up writes', async (t) => {
  const { store } = await newStore(t);
  await Promise.all(Array.from({ length: 2000 }, () => store.runs.create(sampleRun(), { event: sampleEvent(1) })));
  const order: string[] = [];
  const note = (what: string) => async (done: Promise<unknown>) => {
    await done;
    order.push(what);
  };
  await Promise.all([
    note('lists')(Promise.all(Array.from({ length: 20 }, () => store.runs.list({ limit: 2000 })))),
    note('write')(store.probe()),
  ]);
  assert.deepEqual(order, ['write', 'lists']);
});
