import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Store } from '../../src/core/store/types.ts';
import { openStore } from '../../src/store/store.ts';
import { endedRun, newDirectory, newStore, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

const unavailable = { code: 'ERR_STORE_UNAVAILABLE' };

/** The file of a store that was filled and closed. */
async function filledFile(): Promise<{ dataDir: string; path: string; runs: string[] }> {
  const dataDir = newDirectory();
  const store = await openStore(dataDir);
  const runs: string[] = [];
  for (let i = 0; i < 50; i++) {
    const observations = Array.from({ length: 10 }, (_, n) => sampleObservation(n, { evidence: 'x'.repeat(300) }));
    runs.push(await endedRun(store, { observations }));
  }
  await store.close();
  return { dataDir, path: join(dataDir, 'sallyport.db'), runs };
}

function overwrite(path: string, from: number, until: number): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.alloc(until - from, 0xa5), 0, until - from, from);
  closeSync(descriptor);
}

async function assertRefused(dataDir: string, pattern: RegExp): Promise<void> {
  const path = join(dataDir, 'sallyport.db');
  const before = existsSync(path) ? readFileSync(path) : undefined;
  for (const readOnly of [false, true]) {
    await assert.rejects(openStore(dataDir, { readOnly }), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, 'ERR_STORE_UNAVAILABLE');
      assert.ok(thrown.message.includes(path), thrown.message);
      assert.match(thrown.message, pattern);
      return true;
    });
  }
  assert.deepEqual(existsSync(path) ? readFileSync(path) : undefined, before, 'the refused file was changed');
}

test('an empty, foreign, truncated or overwritten file is refused and stays as it is', async () => {
  const cases: [string, (path: string) => void][] = [
    ['emptied', (path) => truncateSync(path, 0)],
    ['cut in the header', (path) => truncateSync(path, 50)],
    ['text', (path) => writeFileSync(path, 'hello '.repeat(5000))],
    ['header overwritten', (path) => overwrite(path, 0, 100)],
    ['first page overwritten', (path) => overwrite(path, 100, 4096)],
    [
      'another program’s database',
      (path) => {
        rmSync(path);
        const other = new DatabaseSync(path);
        other.exec('CREATE TABLE t (a); PRAGMA user_version = 1');
        other.close();
        chmodSync(path, 0o600);
      },
    ],
  ];
  const { path: good } = await filledFile();
  for (const [what, spoil] of cases) {
    const dataDir = newDirectory();
    const path = join(dataDir, 'sallyport.db');
    copyFileSync(good, path);
    spoil(path);
    await assertRefused(dataDir, /damaged|empty or not one of Sallyport/).catch((thrown: unknown) => {
      throw new Error(what, { cause: thrown });
    });
  }
});

test('a file of a newer version is refused by name of the version, not downgraded', async () => {
  const { dataDir, path } = await filledFile();
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 9999');
  newer.close();
  await assertRefused(dataDir, /newer.*9999/);
});

test('a missing file whose log is still there is not replaced by an empty one', async () => {
  const { dataDir, path } = await filledFile();
  const store = await openStore(dataDir);
  await store.probe();
  copyFileSync(`${path}-wal`, `${path}-saved`);
  await store.close();
  rmSync(path);
  renameSync(`${path}-saved`, `${path}-wal`);
  await assert.rejects(openStore(dataDir), unavailable);
  assert.equal(existsSync(path), false);
});

test('a file that others may read, a link and a directory are refused', async () => {
  const { dataDir, path } = await filledFile();
  for (const mode of [0o640, 0o604, 0o660, 0o622]) {
    chmodSync(path, mode);
    await assertRefused(dataDir, /chmod 600/);
  }
  chmodSync(path, 0o600);
  renameSync(path, `${path}.real`);
  symlinkSync(`${path}.real`, path);
  await assert.rejects(openStore(dataDir), unavailable);
  rmSync(path);
  mkdirSync(path);
  await assert.rejects(openStore(dataDir), unavailable);
});

test('damage inside is an error where it is met, is told as a fault and by the check, and the rest goes on being read', async (t) => {
  const { dataDir, path, runs } = await filledFile();
  const { size } = statSync(path);
  // Everything after the pages that opening needs: tables and indexes of the runs lie somewhere in it.
  overwrite(path, Math.floor(size / 2 / 4096) * 4096, size);
  const store = await openStore(dataDir);
  t.after(() => store.close());
  const read = await Promise.allSettled([
    ...runs.map((runId) => store.findings.ofRun(runId, { limit: 100 })),
    ...runs.map((runId) => store.runs.get(runId)),
  ]);
  const failed = read.filter((each) => each.status === 'rejected');
  assert.ok(failed.length > 0, 'no damage was met');
  assert.ok(failed.length < read.length, 'nothing could be read');
  for (const { reason } of failed) assert.equal((reason as { code: string }).code, 'ERR_STORE_UNAVAILABLE');
  assert.equal(store.fault()?.kind, 'corrupt');
  await store.probe().catch(() => undefined);
  assert.equal(store.fault()?.kind, 'corrupt', 'one good write does not mend a damaged file');
  assert.notDeepEqual(await store.check(), []);
  assert.deepEqual(await store.keys.list(), []);
});

test('a file without the right to write it is read, each write says so, and once it is back the fault is gone', async (t) => {
  const { dataDir, path, runs } = await filledFile();
  chmodSync(path, 0o400);
  const store = await openStore(dataDir);
  t.after(() => store.close());
  assert.equal((await store.runs.list({ limit: 100 })).items.length, runs.length);
  await assert.rejects(store.probe(), unavailable);
  await assert.rejects(store.runs.create(sampleRun(), { event: sampleEvent(1) }), unavailable);
  const fault = store.fault();
  assert.equal(fault?.kind, 'read_only');
  assert.ok(!fault.message.includes(path), 'a path in a message for clients');
  assert.equal((await store.runs.list({ limit: 100 })).items.length, runs.length);
  // What SQLite makes beside the file gets the file's mode.
  for (const each of [path, `${path}-wal`, `${path}-shm`]) chmodSync(each, 0o600);
  await store.probe();
  assert.equal(store.fault(), undefined);
});

test('writes into a file that was removed or replaced under the gateway are refused', async (t) => {
  for (const replace of [false, true]) {
    const { store, dataDir, path } = await newStore(t);
    await store.probe();
    const { path: other } = await filledFile();
    rmSync(path);
    if (replace) copyFileSync(other, path);
    await assert.rejects(store.probe(), unavailable);
    await assert.rejects(store.keys.revoke('key_x', 1), unavailable);
    assert.equal(store.fault()?.kind, 'other');
    assert.equal(existsSync(join(dataDir, 'sallyport.db')), replace);
  }
});

test('when the file cannot grow, writes fail whole, reads go on, and after room was made writes succeed again', async () => {
  const dataDir = newDirectory();
  const script = join(import.meta.dirname, 'full-child.ts');
  const { stdout } = await promisify(execFile)('/usr/bin/prlimit', [
    // The log may not grow above it: EFBIG (setrlimit(2)), as unprivileged users can have a full disk.
    '--fsize=2000000:unlimited',
    process.execPath,
    script,
    dataDir,
  ]);
  const told = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(told['errors'], ['ERR_STORE_UNAVAILABLE']);
  assert.equal(told['hadFault'], true);
  assert.equal(told['readWhileFull'], told['acknowledged']);
  const store: Store = await openStore(dataDir);
  try {
    assert.equal((await store.runs.list({ limit: 10_000 })).items.length, told['acknowledged']);
    assert.deepEqual(await store.check(), []);
    await store.probe();
    assert.equal(store.fault(), undefined);
  } finally {
    await store.close();
  }
});
