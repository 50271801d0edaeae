import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createAuthenticator, createKey } from '../../src/core/auth/keys.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { openStore } from '../../src/store/store.ts';
import { newDirectory, newStore } from './rig.ts';

const newKey = (name = 'alice') => createKey({ name, scopes: ['tools:read'], clock });
const secret = { owner: 'key_1', runId: 'r1', tool: 'hydra', kind: 'password', value: 'pässword\n"\ud800\0' };

test('an added key is listed, in a file of mode 0600, and comes back after a restart', async (t) => {
  const { store, dataDir, path } = await newStore(t);
  assert.deepEqual(await store.keys.list(), []);
  const [one, two] = [newKey().record, { ...newKey('bob').record, expiresAt: 5 }];
  await store.keys.add(one);
  await store.keys.add(two);
  assert.deepEqual(await store.keys.list(), [one, two]);
  for (const suffix of ['', '-wal', '-shm']) assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
  await store.close();
  const again = await openStore(dataDir);
  t.after(() => again.close());
  assert.deepEqual(await again.keys.list(), [one, two]);
});

test('a revocation by another process ends the key at the next call', async (t) => {
  const { store, dataDir } = await newStore(t);
  const { key, record } = newKey();
  await store.keys.add(record);
  const authenticator = createAuthenticator({ store: store.keys, clock });
  assert.equal((await authenticator.authenticate(`Bearer ${key}`)).id, record.id);
  const script = `const { openStore } = await import(process.argv[1]); const store = await openStore(process.argv[2]);
    console.log(JSON.stringify([await store.keys.revoke(process.argv[3], 7), await store.keys.revoke(process.argv[3], 8),
      await store.keys.revoke('key_0000000000000000', 7)])); await store.close();`;
  const module = new URL('../../src/store/store.ts', import.meta.url).href;
  const args = ['--input-type=module', '-e', script, module, dataDir, record.id];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  assert.deepEqual(JSON.parse(stdout), [true, false, false]);
  await assert.rejects(authenticator.authenticate(`Bearer ${key}`), { code: 'ERR_AUTH_REQUIRED' });
  assert.equal((await store.keys.list())[0]?.revokedAt, 7);
});

test('a list is read again only when keys changed, not when anything else was written', async (t) => {
  const { store } = await newStore(t);
  await store.keys.add(newKey().record);
  const list = await store.keys.list();
  await store.probe();
  assert.equal(await store.keys.list(), list);
  await store.keys.add(newKey().record);
  assert.notEqual(await store.keys.list(), list);
});

test('the same key is not registered twice, and that is no fault of the store', async (t) => {
  const { store } = await newStore(t);
  const { record } = newKey();
  await store.keys.add(record);
  await assert.rejects(store.keys.add(record), { code: 'ERR_INPUT_INVALID' });
  await assert.rejects(store.keys.add({ ...record, id: newKey().record.id }), { code: 'ERR_INPUT_INVALID' });
  assert.equal(store.fault(), undefined);
  assert.equal((await store.keys.list()).length, 1);
});

test('processes that open and write at once make one store and lose nothing', async () => {
  const dataDir = newDirectory();
  const script = `const { openStore } = await import(process.argv[1]); const { createKey } = await import(process.argv[2]);
    const clock = { now: Date.now, monotonic: () => 0 }; const store = await openStore(process.argv[3]);
    for (let i = 0; i < 5; i++) await store.keys.add(createKey({ name: 'k', scopes: ['tools:read'], clock }).record);
    await store.close();`;
  const modules = ['../../src/store/store.ts', '../../src/core/auth/keys.ts'].map(
    (name) => new URL(name, import.meta.url).href,
  );
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, ...modules, dataDir]);
  await Promise.all([run(), run(), run()]);
  const store = await openStore(dataDir);
  assert.equal((await store.keys.list()).length, 15);
  await store.close();
});

test('a kept secret is read by its reference alone, whatever is in it, also after a restart', async (t) => {
  const { store, dataDir } = await newStore(t, { clock: { now: () => 1234, monotonic: () => 0 } });
  const { id, kept } = store.secrets.keep(secret);
  await kept;
  assert.match(id, /^secret_[\w-]{22}$/);
  assert.deepEqual(await store.secrets.read(id), { ...secret, id, createdAt: 1234 });
  await store.close();
  const again = await openStore(dataDir);
  t.after(() => again.close());
  assert.deepEqual(await again.secrets.read(id), { ...secret, id, createdAt: 1234 });
});

test('no text but the reference itself finds a secret, and the newest are listed first', async (t) => {
  const { store } = await newStore(t);
  const ids: string[] = [];
  for (const value of ['1', '2', '3']) {
    const { id, kept } = store.secrets.keep({ ...secret, value });
    await kept;
    ids.push(id);
  }
  const wrong = [
    '',
    '%',
    'secret_%',
    `secret_${'_'.repeat(22)}`,
    `${ids[0]}' OR '1'='1`,
    `${ids[0]}\0`,
    ids[0]?.toUpperCase() ?? '',
    '1',
  ];
  for (const id of wrong) assert.equal(await store.secrets.read(id), undefined, id);
  assert.deepEqual(
    (await store.secrets.recent(2)).map(({ value }) => value),
    ['3', '2'],
  );
});

test('a secret that is too long is refused, and one that cannot be kept says so without ending the process', async (t) => {
  const { store } = await newStore(t);
  assert.throws(() => store.secrets.keep({ ...secret, value: 'x'.repeat(65_537) }), { code: 'ERR_INPUT_INVALID' });
  await store.close();
  const { kept } = store.secrets.keep(secret);
  store.secrets.keep(secret);
  await assert.rejects(kept, { code: 'ERR_STORE_UNAVAILABLE' });
});

test('tool states are kept, and a store opened for reading takes none', async (t) => {
  const { store, dataDir } = await newStore(t);
  await store.tools.set('nmap', false);
  await store.tools.set('dig', false);
  await store.tools.set('dig', true);
  assert.deepEqual(
    await store.tools.all(),
    new Map([
      ['nmap', false],
      ['dig', true],
    ]),
  );
  const reading = await openStore(dataDir, { readOnly: true });
  t.after(() => reading.close());
  await assert.rejects(reading.tools.set('nmap', true), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.equal((await reading.tools.all()).get('nmap'), false);
});
