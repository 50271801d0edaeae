import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import { createKillFile, writeKillFile } from '../../src/store/kill-file.ts';
import { newDirectory, newStore } from './rig.ts';

const everything = { engagement: null, since: 1000, by: 'key_a', reason: 'all of it' };
const one = { engagement: 'acme', since: 2000, by: 'signal', reason: 'x\ud83d\ude00"\n' };

test('kill switches survive the process, each by itself', async () => {
  const dataDir = newDirectory();
  const first = await openStore(dataDir);
  await first.kills.put(one);
  await first.kills.put(everything);
  await first.kills.put({ ...one, since: 3000 });
  await first.close();
  const second = await openStore(dataDir);
  assert.deepEqual(await second.kills.all(), [everything, { ...one, since: 3000 }]);
  await second.kills.remove(null);
  assert.deepEqual(await second.kills.all(), [{ ...one, since: 3000 }]);
  await second.kills.remove('acme');
  assert.deepEqual(await second.kills.all(), []);
  await second.close();
});

test('removing a switch that is not on changes nothing', async (t) => {
  const { store } = await newStore(t);
  await store.kills.put(everything);
  await store.kills.remove('acme');
  assert.deepEqual(await store.kills.all(), [everything]);
});

test('a store that was opened for reading pulls nothing', async () => {
  const dataDir = newDirectory();
  await (await openStore(dataDir)).close();
  const store = await openStore(dataDir, { readOnly: true });
  await assert.rejects(store.kills.put(everything), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.deepEqual(await store.kills.all(), []);
  await store.close();
});

test('the sentinel file is there by its name alone, whatever is behind it', () => {
  const path = join(newDirectory(), 'KILL');
  const file = createKillFile(path);
  assert.equal(file.isPresent(), false);
  assert.equal(writeKillFile(path, 'why\n'), true);
  assert.equal(file.isPresent(), true);
  assert.equal(writeKillFile(path, 'why\n'), false);
  rmSync(path);
  assert.equal(file.isPresent(), false);
  symlinkSync('/nowhere at all', path);
  assert.equal(file.isPresent(), true);
  rmSync(path);
  mkdirSync(path);
  assert.equal(file.isPresent(), true);
});

test('a place that cannot be looked at, or is gone, counts as the file being there', () => {
  const directory = newDirectory();
  writeKillFile(join(directory, 'plain'), '');
  assert.equal(createKillFile(join(directory, 'plain', 'KILL')).isPresent(), true);
  assert.equal(createKillFile(join(directory, 'no such place', 'KILL')).isPresent(), true);
  assert.equal(createKillFile(join(directory, 'x'.repeat(300))).isPresent(), true);
});

test('a planted link is not followed when the file is made', () => {
  const directory = newDirectory();
  const path = join(directory, 'KILL');
  const victim = join(directory, 'victim');
  symlinkSync(victim, path);
  assert.equal(writeKillFile(path, 'why\n'), false);
  assert.equal(createKillFile(victim).isPresent(), false);
});

test('it is looked at again and again until somebody stops it', async () => {
  const file = createKillFile(join(newDirectory(), 'KILL'));
  let looks = 0;
  await new Promise<void>((resolve) => {
    const keepsTestAlive = setInterval(() => undefined, 1000);
    const stop = file.watch(() => {
      looks += 1;
      if (looks < 2) return;
      stop();
      clearInterval(keepsTestAlive);
      resolve();
    });
  });
  assert.equal(looks, 2);
});
