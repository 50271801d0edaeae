import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKey } from '../../src/core/auth/keys.ts';
import { type Scope, SCOPES } from '../../src/core/auth/types.ts';
import { systemClock as clock } from '../../src/core/clock.ts';
import { openStore } from '../../src/store/store.ts';
import { newDirectory } from './rig.ts';

const EARLIER = [
  'tools:read',
  'runs:execute',
  'secrets:read',
  'admin:tools',
  'admin:config',
  'health:read',
  'metrics:read',
];
const record = (changes: object = {}) => ({
  ...createKey({ name: 'k', scopes: ['tools:read'], clock }).record,
  ...changes,
});
const secretId = (letter: string) => `secret_${letter.repeat(22)}`;
const secret = (letter: string, createdAt: number) => ({
  id: secretId(letter),
  owner: 'key_1',
  runId: 'r',
  tool: 'hydra',
  kind: 'password',
  value: 'hunter2 \ud800',
  createdAt,
});

function earlierDirectory(keys: unknown, secrets: readonly { id: string }[] = []): string {
  const dataDir = newDirectory();
  if (keys !== undefined) writeFileSync(join(dataDir, 'keys.json'), JSON.stringify(keys));
  if (secrets.length > 0) mkdirSync(join(dataDir, 'secrets'));
  for (const each of secrets) writeFileSync(join(dataDir, 'secrets', `${each.id}.json`), JSON.stringify(each));
  return dataDir;
}

test('keys and secrets of the files are in the store at the first opening, and the files are gone', async () => {
  const revoked = record({ revokedAt: 5, expiresAt: 9 });
  const secrets = [secret('b', 2), secret('a', 1)];
  const dataDir = earlierDirectory({ version: 1, keys: [record(), revoked] }, secrets);
  const store = await openStore(dataDir);
  assert.equal((await store.keys.list()).length, 2);
  assert.deepEqual((await store.keys.list())[1], revoked);
  assert.deepEqual(await store.secrets.recent(9), secrets);
  await store.close();
  assert.deepEqual(readdirSync(dataDir), ['sallyport.db']);
});

test('a key that could start runs keeps seeing them, one that could do everything still can, no other gets more', async () => {
  const cases: [string[], readonly Scope[]][] = [
    [['tools:read'], ['tools:read']],
    [['runs:execute'], ['runs:execute', 'runs:read', 'runs:cancel', 'findings:read']],
    [EARLIER, SCOPES],
    [['admin:tools', 'admin:everything'], ['admin:tools']],
    [[], []],
  ];
  const dataDir = earlierDirectory({ version: 1, keys: cases.map(([scopes]) => record({ scopes })) });
  const store = await openStore(dataDir);
  assert.deepEqual(
    (await store.keys.list()).map(({ scopes }) => [...scopes].sort()),
    cases.map(([, scopes]) => [...scopes].sort()),
  );
  await store.close();
});

test('a damaged file refuses the opening, is named, and nothing is changed; no text of a secret is told', async () => {
  const good = { version: 1, keys: [record()] };
  const damages: [string, string][] = [
    ['keys.json', '{'],
    ['keys.json', ''],
    ['keys.json', '{"version":2,"keys":[]}'],
    ['keys.json', '{"version":1,"keys":[{}]}'],
    [join('secrets', `${secretId('a')}.json`), '{"value":"hunter2"'],
    [join('secrets', `${secretId('a')}.json`), '{"value":"hunter2"}'],
  ];
  for (const [name, text] of damages) {
    const dataDir = earlierDirectory(good, [secret('a', 1), secret('b', 2)]);
    writeFileSync(join(dataDir, name), text);
    await assert.rejects(openStore(dataDir), (thrown: Error & { code: string }) => {
      assert.equal(thrown.code, 'ERR_STORE_UNAVAILABLE');
      assert.ok(thrown.message.includes(join(dataDir, name)), thrown.message);
      return !`${thrown.message} ${String((thrown.cause as Error).stack)}`.includes('hunter2');
    });
    assert.equal(readFileSync(join(dataDir, name), 'utf8'), text);
    assert.deepEqual(readdirSync(dataDir).sort(), ['keys.json', 'secrets']);
    assert.equal(readdirSync(join(dataDir, 'secrets')).length, 2);
  }
});

test('files that a kill left behind after their import are imported once more without undoing a revocation', async () => {
  const key = record();
  const dataDir = earlierDirectory({ version: 1, keys: [key] }, [secret('a', 1)]);
  const first = await openStore(dataDir);
  await first.keys.revoke(key.id, 7);
  await first.close();
  writeFileSync(join(dataDir, 'keys.json'), JSON.stringify({ version: 1, keys: [key] }));
  const second = await openStore(dataDir);
  assert.deepEqual(await second.keys.list(), [{ ...key, revokedAt: 7 }]);
  await second.close();
  assert.equal(existsSync(join(dataDir, 'keys.json')), false);
});

test('opening for reading imports nothing', async () => {
  const dataDir = earlierDirectory({ version: 1, keys: [record()] });
  await assert.rejects(openStore(dataDir, { readOnly: true }), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.deepEqual(readdirSync(dataDir), ['keys.json']);
});

test('a file of others in the directory of the secrets stays where it is', async () => {
  const dataDir = earlierDirectory(undefined, [secret('a', 1)]);
  writeFileSync(join(dataDir, 'secrets', 'notes.txt'), 'mine');
  await (await openStore(dataDir)).close();
  assert.deepEqual(readdirSync(join(dataDir, 'secrets')), ['notes.txt']);
  // It is looked at again at each opening, and nothing else happens.
  await (await openStore(dataDir)).close();
});
