import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, after, test } from 'node:test';
import { createAuthenticator, createKey } from '../../src/core/auth/keys.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { ensureFirstKey } from '../../src/store/first-key.ts';
import { openStore } from '../../src/store/store.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-first-'));
after(() => rmSync(root, { recursive: true, force: true }));
const refused = { code: 'ERR_CONFIG_INVALID' };

async function setup(t: TestContext) {
  const dataDir = mkdtempSync(join(root, 'd-'));
  const opened = await openStore(dataDir);
  t.after(() => opened.close());
  const store = opened.keys;
  const authenticator = createAuthenticator({ store, clock });
  const bootstrap = join(dataDir, 'bootstrap');
  const ensure = (input: { loopback?: boolean; bootstrapKeyFile?: string } = {}) =>
    ensureFirstKey({ store, dataDir, clock, loopback: true, bootstrapKeyFile: '', ...input });
  const writeBootstrap = (text: string, mode = 0o600) => {
    writeFileSync(bootstrap, text);
    chmodSync(bootstrap, mode);
  };
  return { dataDir, store, authenticator, ensure, bootstrap, writeBootstrap };
}

test('on loopback the first start makes one key with every scope and writes it to a private file', async (t) => {
  const { dataDir, store, authenticator, ensure } = await setup(t);
  const made = await ensure();
  assert.equal(made.kind, 'made');
  const path = join(dataDir, 'first-key');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const principal = await authenticator.authenticate(`Bearer ${readFileSync(path, 'utf8').trim()}`);
  assert.deepEqual([...principal.scopes], [...SCOPES]);
  assert.deepEqual(await ensure(), { kind: 'present' });
  assert.equal((await store.list()).length, 1);
});

test('beyond loopback without a key the gateway does not start', async (t) => {
  const { dataDir, store, ensure } = await setup(t);
  await assert.rejects(ensure({ loopback: false }), refused);
  assert.equal(existsSync(join(dataDir, 'first-key')), false);
  const { record } = createKey({ name: 'a', scopes: ['tools:read'], clock });
  await store.add(record);
  assert.equal((await ensure({ loopback: false })).kind, 'present');
  await store.revoke(record.id, clock.now());
  await assert.rejects(ensure({ loopback: false }), refused);
});

test('a restart does not undo the revocation of every key', async (t) => {
  const { store, ensure } = await setup(t);
  const made = await ensure();
  assert.ok(made.kind === 'made');
  await store.revoke(made.id, clock.now());
  assert.equal((await ensure()).kind, 'present');
  assert.equal((await store.list()).length, 1);
});

test('a link planted as first-key is not followed', async (t) => {
  const { dataDir, ensure } = await setup(t);
  const victim = join(dataDir, 'victim');
  writeFileSync(victim, 'keep');
  symlinkSync(victim, join(dataDir, 'first-key'));
  await ensure();
  assert.equal(readFileSync(victim, 'utf8'), 'keep');
});

test('the operator gives the first key by a file; a new content revokes the old key', async (t) => {
  const { authenticator, ensure, bootstrap, writeBootstrap } = await setup(t);
  const [one, two] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
  writeBootstrap(`${one}\n`);
  assert.equal((await ensure({ loopback: false, bootstrapKeyFile: bootstrap })).kind, 'registered');
  assert.equal((await ensure({ loopback: false, bootstrapKeyFile: bootstrap })).kind, 'present');
  assert.equal((await authenticator.authenticate(`Bearer ${one}`)).name, 'bootstrap');
  writeBootstrap(two);
  assert.equal((await ensure({ bootstrapKeyFile: bootstrap })).kind, 'registered');
  assert.equal((await authenticator.authenticate(`Bearer ${two}`)).name, 'bootstrap');
  await assert.rejects(authenticator.authenticate(`Bearer ${one}`), { code: 'ERR_AUTH_REQUIRED' });
  writeBootstrap(one);
  await assert.rejects(ensure({ bootstrapKeyFile: bootstrap }), refused);
});

test('weak, exposed and unreadable bootstrap files are refused, and no message repeats the key', async (t) => {
  const { dataDir, ensure, bootstrap, writeBootstrap } = await setup(t);
  const good = randomBytes(32).toString('base64url');
  const cases: [string, number][] = [
    ['', 0o600],
    [good.slice(0, 31), 0o600],
    ['a'.repeat(64), 0o600],
    [`${good} ${good}`, 0o600],
    [`${good}\n${good}`, 0o600],
    [good, 0o604],
    [good, 0o602],
  ];
  for (const [text, mode] of cases) {
    writeBootstrap(text, mode);
    await assert.rejects(ensure({ bootstrapKeyFile: bootstrap }), (thrown: Error & { code: string }) => {
      assert.equal(thrown.code, 'ERR_CONFIG_INVALID', text);
      return text === '' || !thrown.message.includes(text);
    });
  }
  await assert.rejects(ensure({ bootstrapKeyFile: join(dataDir, 'missing') }), refused);
  await assert.rejects(ensure({ bootstrapKeyFile: dataDir }), refused);
});
