import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openDataDir } from '../../src/store/data-dir.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-data-'));
after(() => rmSync(root, { recursive: true, force: true }));
const code = { code: 'ERR_STORE_UNAVAILABLE' };

test('the directory is made private, and a second gateway on it is refused until the first one closes', async () => {
  const path = join(root, 'new', 'data');
  const first = await openDataDir(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  await assert.rejects(openDataDir(path), code);
  first.close();
  (await openDataDir(path)).close();
});

test('the lock names the process', async () => {
  const data = await openDataDir(join(root, 'pid'));
  assert.equal((JSON.parse(readFileSync(join(data.path, 'pid'), 'utf8')) as { pid: number }).pid, process.pid);
  data.close();
});

test('the address is there while the gateway runs, and one left by a killed gateway goes', async () => {
  const path = join(root, 'address');
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, 'address'), 'http://127.0.0.1:1\n');
  const data = await openDataDir(path);
  assert.equal(existsSync(join(path, 'address')), false);
  data.writeAddress('http://127.0.0.1:8080');
  assert.equal(readFileSync(join(path, 'address'), 'utf8'), 'http://127.0.0.1:8080\n');
  data.close();
  assert.equal(existsSync(join(path, 'address')), false);
});

test('the probe writes and leaves nothing, and fails when the directory is gone', async () => {
  const data = await openDataDir(join(root, 'probe'));
  await data.probe();
  assert.deepEqual(readdirSync(data.path), ['pid']);
  data.close();
  rmSync(data.path, { recursive: true });
  await assert.rejects(data.probe(), code);
});

test('a directory that others may write is refused', async () => {
  for (const mode of [0o777, 0o770, 0o702, 0o1777]) {
    const path = join(root, `mode-${mode}`);
    mkdirSync(path);
    chmodSync(path, mode);
    await assert.rejects(openDataDir(path), code, mode.toString(8));
  }
});

test('a directory of another user, a file and a dangling link are refused', async () => {
  writeFileSync(join(root, 'file'), '');
  await assert.rejects(openDataDir(join(root, 'file')), code);
  symlinkSync(join(root, 'nowhere', 'deeper'), join(root, 'dangling'));
  await assert.rejects(openDataDir(join(root, 'dangling')), code);
  // Root's, and no test file runs as root (test/fixtures/drop-root.ts).
  await assert.rejects(openDataDir('/usr'), code);
});
