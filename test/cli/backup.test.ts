import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, openSync, statSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/store/store.ts';
import { runCli, temporaryDirectory } from './command-line.ts';

test('backup copies the store beside a process that has it open, and without one', async (t) => {
  const parent = temporaryDirectory(t);
  const dataDir = join(parent, 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const options = { environment: { SALLYPORT_DATA_DIR: dataDir }, cwd: parent };
  const store = await openStore(dataDir);
  await store.tools.set('nmap', false);
  const beside = await runCli(['backup', 'one.db'], options);
  assert.equal(beside.code, 0, beside.stderr);
  await store.close();
  assert.equal((await runCli(['backup', join(parent, 'two.db')], options)).code, 0);
  for (const name of ['one.db', 'two.db']) {
    const path = join(parent, name);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const restored = join(parent, `${name} restored`);
    mkdirSync(restored);
    copyFileSync(path, join(restored, 'sallyport.db'));
    const copy = await openStore(restored);
    assert.equal((await copy.tools.all()).get('nmap'), false);
    await copy.close();
  }
});

test('backup refuses a path that is taken, no path, two paths, and a data directory without a store', async (t) => {
  const parent = temporaryDirectory(t);
  const options = { environment: { SALLYPORT_DATA_DIR: join(parent, 'data') }, cwd: parent };
  assert.equal((await runCli(['backup', 'copy.db'], options)).code, 1);
  assert.ok(!existsSync(join(parent, 'copy.db')) && !existsSync(join(parent, 'data')));
  assert.equal((await runCli(['backup'], options)).code, 2);
  assert.equal((await runCli(['backup', 'a', 'b'], options)).code, 2);
  mkdirSync(join(parent, 'data'), { mode: 0o700 });
  await (await openStore(join(parent, 'data'))).close();
  writeFileSync(join(parent, 'taken'), '');
  assert.notEqual((await runCli(['backup', 'taken'], options)).code, 0);
});

test('doctor says that the store is whole, or what is damaged in it', async (t) => {
  const dataDir = temporaryDirectory(t);
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  const storeLine = async () => /^.*\bstore\b.*$/m.exec((await runCli(['doctor'], { environment })).stdout)?.[0] ?? '';
  assert.match(await storeLine(), /^ok .*not there yet/);
  const store = await openStore(dataDir);
  for (let i = 0; i < 200; i++)
    await store.secrets.keep({ owner: 'o', runId: 'r', tool: 't', kind: 'k', value: 'x'.repeat(900) }).kept;
  assert.match(await storeLine(), /^ok .*whole/);
  await store.close();
  const path = join(dataDir, 'sallyport.db');
  const descriptor = openSync(path, 'r+');
  const { size } = statSync(path);
  writeSync(descriptor, Buffer.alloc(8192, 0xa5), 0, 8192, Math.floor((size * 0.75) / 4096) * 4096);
  closeSync(descriptor);
  assert.match(await storeLine(), /^missing .*damaged/);
});
