import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { createAuthenticator, createKey } from '../../src/core/auth/keys.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { createKeyFile } from '../../src/store/key-file.ts';

const made: string[] = [];
const directory = () => {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-keys-'));
  made.push(path);
  return path;
};
after(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});
const newKey = (name = 'alice') => createKey({ name, scopes: ['tools:read'], clock });

test('no file is no keys; an added key is there, with mode 0600 and without the key itself', async () => {
  const path = directory();
  const store = createKeyFile(path);
  assert.deepEqual(await store.list(), []);
  const { key, record } = newKey();
  await store.add(record);
  assert.deepEqual(await store.list(), [record]);
  assert.deepEqual(await createKeyFile(path).list(), [record]);
  const file = join(path, 'keys.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file, 'utf8').includes(key.slice(-43)));
  assert.deepEqual(readdirSync(path), ['keys.json']);
});

test('a revocation by another process ends the key at the next call', async () => {
  const path = directory();
  const [gateway, commandLine] = [createKeyFile(path), createKeyFile(path)];
  const { key, record } = newKey();
  await gateway.add(record);
  const authenticator = createAuthenticator({ store: gateway, clock });
  assert.equal((await authenticator.authenticate(`Bearer ${key}`)).id, record.id);
  assert.equal(await commandLine.revoke(record.id, clock.now()), true);
  await assert.rejects(authenticator.authenticate(`Bearer ${key}`), { code: 'ERR_AUTH_REQUIRED' });
  assert.equal(await commandLine.revoke(record.id, clock.now()), false);
  assert.equal(await commandLine.revoke('key_0000000000000000', clock.now()), false);
});

test('a damaged file is an error that names it, never an empty list', async () => {
  const path = directory();
  const store = createKeyFile(path);
  await store.add(newKey().record);
  const file = join(path, 'keys.json');
  for (const text of [
    '',
    '{',
    'null',
    '{"version":2,"keys":[]}',
    '{"version":1,"keys":[{}]}',
    '{"version":1,"keys":[],"x":1}',
  ]) {
    writeFileSync(file, text);
    await assert.rejects(store.list(), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, 'ERR_STORE_UNAVAILABLE', text);
      return thrown.message.includes(file);
    });
    await assert.rejects(store.add(newKey().record), { code: 'ERR_STORE_UNAVAILABLE' });
    assert.equal(readFileSync(file, 'utf8'), text);
  }
});

test('a scope of a newer version is not granted', async () => {
  const path = directory();
  const store = createKeyFile(path);
  await store.add(newKey().record);
  const file = join(path, 'keys.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('tools:read', 'admin:everything'));
  assert.deepEqual((await store.list())[0]?.scopes, []);
});

test('the same key is not registered twice', async () => {
  const store = createKeyFile(directory());
  const { record } = newKey();
  await store.add(record);
  await assert.rejects(store.add(record), { code: 'ERR_INPUT_INVALID' });
});

test('processes that write at once lose nothing', async () => {
  const path = directory();
  const script = `const { createKeyFile } = await import(process.argv[1]); const { createKey } = await import(process.argv[2]);
    const clock = { now: Date.now, monotonic: () => 0 }; const store = createKeyFile(process.argv[3]);
    for (let i = 0; i < 5; i++) await store.add(createKey({ name: 'k', scopes: ['tools:read'], clock }).record);`;
  const modules = ['../../src/store/key-file.ts', '../../src/core/auth/keys.ts'].map(
    (name) => new URL(name, import.meta.url).href,
  );
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, ...modules, path]);
  await Promise.all([run(), run(), run()]);
  assert.equal((await createKeyFile(path).list()).length, 15);
});
