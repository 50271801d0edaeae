import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSecretFiles } from '../../src/store/secret-file.ts';

const root = mkdtempSync(join(tmpdir(), 'sallyport-secrets-'));
after(() => rmSync(root, { recursive: true, force: true }));
const clock = { now: () => 1234, monotonic: () => 0 };
const secret = { owner: 'key_1', runId: 'r1', tool: 'hydra', kind: 'password', value: 'pässword\n"\ud800' };

test('a kept secret is read by its reference, and only its owner on the machine can open the file', async () => {
  const store = createSecretFiles(root, clock);
  const id = store.keep(secret);
  assert.deepEqual(await store.read(id), { ...secret, id, createdAt: 1234 });
  assert.equal(statSync(join(root, 'secrets')).mode & 0o777, 0o700);
  assert.equal(statSync(join(root, 'secrets', `${id}.json`)).mode & 0o777, 0o600);
  assert.deepEqual(await createSecretFiles(root, clock).read(id), { ...secret, id, createdAt: 1234 });
});

test('references cannot be guessed, repeated or used as paths', async () => {
  const store = createSecretFiles(root, clock);
  assert.notEqual(store.keep(secret), store.keep(secret));
  writeFileSync(join(root, 'x.json'), '{}');
  for (const id of [
    '',
    '../x',
    'secret_',
    '../secrets/x',
    `secret_${'a'.repeat(22)}`,
    `secret_${'a'.repeat(21)}/`,
    'x\0',
  ]) {
    assert.equal(await store.read(id), undefined, id);
  }
});

test('a damaged file and a full or missing directory are errors, and the text of the secret is in none of them', async () => {
  const store = createSecretFiles(root, clock);
  const id = store.keep({ ...secret, value: 'hunter2' });
  writeFileSync(join(root, 'secrets', `${id}.json`), '{"value":"hunter2"');
  await assert.rejects(store.read(id), (thrown: Error & { code: string }) => {
    assert.equal(thrown.code, 'ERR_STORE_UNAVAILABLE');
    return !JSON.stringify([thrown.message, String(thrown.cause)]).includes('hunter2');
  });
  rmSync(join(root, 'secrets'), { recursive: true });
  assert.throws(() => store.keep(secret), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.throws(() => store.keep({ ...secret, value: 'x'.repeat(65_537) }), { code: 'ERR_INPUT_INVALID' });
});

test('nothing but the kept files stays behind', () => {
  const path = mkdtempSync(join(root, 'clean-'));
  const store = createSecretFiles(path, clock);
  const ids = [store.keep(secret), store.keep(secret)];
  assert.deepEqual(readdirSync(join(path, 'secrets')).toSorted(), ids.map((id) => `${id}.json`).toSorted());
});
