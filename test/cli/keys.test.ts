import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli, temporaryDirectory } from './command-line.ts';

interface ShownKey {
  readonly id: string;
  readonly key?: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

test('a key is created, listed and revoked, and is shown only once', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'not there yet');
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  const keys = (...args: string[]) => runCli(['keys', ...args], { environment });

  const created = await keys(
    'create',
    'ci',
    '--scope',
    'tools:read',
    '--scope',
    'runs:execute',
    '--expires',
    '30d',
    '--json',
  );
  assert.equal(created.code, 0, created.stderr);
  const made = JSON.parse(created.stdout) as ShownKey;
  assert.deepEqual(made.scopes, ['tools:read', 'runs:execute']);
  assert.ok(made.key !== undefined && made.expiresAt !== null);

  const listed = await keys('list', '--json');
  const [row] = JSON.parse(listed.stdout) as ShownKey[];
  assert.equal(row?.id, made.id);
  assert.equal(row?.revokedAt, null);
  for (const text of [listed.stdout, (await keys('list')).stdout]) {
    assert.ok(text.includes(made.id));
    assert.ok(!text.includes(made.key), 'the key is in a list');
    assert.ok(!text.includes('hash'), 'the hash is in a list');
  }

  assert.equal((await keys('revoke', made.id)).code, 0);
  const [after] = JSON.parse((await keys('list', '--json')).stdout) as ShownKey[];
  assert.notEqual(after?.revokedAt, null);
});

test('what is on disk is private and does not hold the key', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  const created = await runCli(['keys', 'create', 'a', '--scope', 'tools:read'], {
    environment: { SALLYPORT_DATA_DIR: dataDir },
  });
  const key = created.stdout.trim();
  assert.match(key, /^sp_/);
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  for (const name of readdirSync(dataDir)) {
    const path = join(dataDir, name);
    assert.equal(statSync(path).mode & 0o077, 0, name);
    assert.ok(!readFileSync(path, 'utf8').includes(key), name);
  }
});

test('keys create refuses an unknown scope, none, a bad name and an expiry that is over', async (t) => {
  const environment = { SALLYPORT_DATA_DIR: temporaryDirectory(t) };
  const refused = [
    ['a', '--scope', 'tools:read,everything'],
    ['a'],
    ['a\nb', '--scope', 'tools:read'],
    ['a', '--scope', 'tools:read', '--expires', '2020-01-01'],
    ['a', '--scope', 'tools:read', '--expires', '0s'],
    ['a', '--scope', 'tools:read', '--expires', 'never'],
  ];
  for (const args of refused) {
    const { code, stdout } = await runCli(['keys', 'create', ...args], { environment });
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
  }
  assert.equal((await runCli(['keys', 'list'], { environment })).stdout, 'There are no keys.\n');
});

test('keys revoke says so when there is no such key', async (t) => {
  const environment = { SALLYPORT_DATA_DIR: temporaryDirectory(t) };
  assert.equal((await runCli(['keys', 'revoke', 'key_0000'], { environment })).code, 1);
});
