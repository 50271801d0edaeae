import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUTH_FAILURES, createAuthenticator, createKey, hasScope, hashKey } from '../../../src/core/auth/keys.ts';
import { type KeyRecord, type KeyStore, SCOPES } from '../../../src/core/auth/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';

let time = 1_000_000;
const clock = { now: () => time, monotonic: () => time };

function setup(changes: Partial<KeyRecord> = {}) {
  const { key, record } = createKey({ name: 'alice', scopes: ['tools:read', 'runs:execute'], clock });
  const other = createKey({ name: 'bob', scopes: SCOPES, clock });
  const records: readonly KeyRecord[] = [{ ...record, ...changes }, other.record];
  const store: KeyStore = { list: async () => records, add: async () => undefined, revoke: async () => false };
  const accepted: string[] = [];
  const authenticator = createAuthenticator({ store, clock, onAccepted: (each) => accepted.push(each) });
  const refusal = async (header: string | readonly string[] | undefined) => {
    const thrown: unknown = await authenticator.authenticate(header).then(
      () => assert.fail(`accepted ${String(header)}`),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof SallyportError);
    return {
      code: thrown.code,
      message: thrown.message,
      details: thrown.details,
      reason: (thrown.cause as Error).message,
    };
  };
  return { key, record, authenticator, accepted, refusal };
}

test('a key has 256 random bits, a prefix to be recognised by, and only its hash in the record', () => {
  const { key, record } = setup();
  assert.match(key, /^sp_[0-9a-f]{8}_[\w-]{43}$/);
  assert.equal(record.prefix, key.slice(0, 11));
  assert.equal(record.hash, hashKey(key));
  assert.ok(!JSON.stringify(record).includes(key.slice(12)));
  assert.notEqual(setup().key, key);
});

test('names, scopes and expiries that make no sense are refused, all at once', () => {
  const base = { name: 'a', scopes: ['tools:read'], clock };
  for (const name of ['', ' a', 'a\nb', 'a"b', 'x'.repeat(65), 'ä\u202e']) {
    assert.throws(() => createKey({ ...base, name }), { code: 'ERR_INPUT_INVALID' }, name);
  }
  for (const scopes of [[], ['tools:write'], ['tools:read', ''], ['*']]) {
    assert.throws(() => createKey({ ...base, scopes }), { code: 'ERR_INPUT_INVALID' });
  }
  for (const expiresAt of [time, time - 1, 1.5 + time, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => createKey({ ...base, expiresAt }), { code: 'ERR_INPUT_INVALID' });
  }
  assert.throws(
    () => createKey({ name: '', scopes: [], clock }),
    (thrown: SallyportError) => {
      assert.equal((thrown.details as { faults: unknown[] }).faults.length, 2);
      return true;
    },
  );
});

test('the holder of a key is known by its record, with its scopes', async () => {
  const { key, record, authenticator, accepted } = setup();
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
    const principal = await authenticator.authenticate(`${scheme} ${key}`);
    assert.deepEqual([principal.id, principal.name], [record.id, 'alice']);
    assert.equal(hasScope(principal, 'runs:execute'), true);
    assert.equal(hasScope(principal, 'admin:config'), false);
  }
  assert.equal((await authenticator.authenticate([`Bearer ${key}`])).name, 'alice');
  assert.deepEqual(new Set(accepted), new Set([key]));
});

test('everything else gets one and the same answer, and the reason goes to the log only', async () => {
  const { key, refusal, accepted } = setup();
  const cases: [string | readonly string[] | undefined, string][] = [
    [undefined, 'missing'],
    [[], 'missing'],
    ['', 'malformed'],
    [key, 'malformed'],
    [`Basic ${key}`, 'malformed'],
    [`Bearer ${key} `, 'malformed'],
    [`Bearer ${key},Bearer ${key}`, 'malformed'],
    [`Bearer ${key}\n`, 'malformed'],
    [`Bearer\t${key}`, 'malformed'],
    [`Bearer ${'a'.repeat(513)}`, 'malformed'],
    [[`Bearer ${key}`, `Bearer ${key}`], 'malformed'],
    [`Bearer ${key}a`, 'unknown'],
    [`Bearer ${key.slice(0, -1)}`, 'unknown'],
    [`Bearer ${key.toUpperCase()}`, 'unknown'],
    [`Bearer ${hashKey(key)}`, 'unknown'],
  ];
  const answers = new Set<string>();
  for (const [header, reason] of cases) {
    const { reason: found, ...answer } = await refusal(header);
    assert.equal(found, reason, String(header));
    assert.ok(AUTH_FAILURES.some((known) => known === found));
    answers.add(JSON.stringify(answer));
  }
  for (const changes of [{ revokedAt: time }, { expiresAt: time }]) {
    const aside = setup(changes);
    const { reason, ...answer } = await aside.refusal(`Bearer ${aside.key}`);
    assert.match(reason, /^(?:revoked|expired)$/);
    answers.add(JSON.stringify(answer));
  }
  assert.equal(answers.size, 1);
  assert.deepEqual(accepted, []);
});

test('a key ends at the very moment of its expiry', async () => {
  const { key, authenticator } = setup({ expiresAt: time + 10 });
  time += 9;
  await authenticator.authenticate(`Bearer ${key}`);
  time += 1;
  await assert.rejects(authenticator.authenticate(`Bearer ${key}`), { code: 'ERR_AUTH_REQUIRED' });
});

test('a store that cannot be read lets nobody in', async () => {
  const store: KeyStore = { list: unreadable, add: async () => undefined, revoke: async () => false };
  const { key } = setup();
  await assert.rejects(createAuthenticator({ store, clock }).authenticate(`Bearer ${key}`), {
    code: 'ERR_STORE_UNAVAILABLE',
  });
});

async function unreadable(): Promise<never> {
  throw new SallyportError('ERR_STORE_UNAVAILABLE', 'x');
}
