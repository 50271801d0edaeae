import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { AuditRecord } from '../../schemas/audit.ts';
import { openKeyWatch } from '../../src/core/audit/key-watch.ts';
import { createAuthenticator, createKey } from '../../src/core/auth/keys.ts';
import { systemClock } from '../../src/core/clock.ts';
import { newPlace, until } from '../core/audit/audit-rig.ts';
import { runCli } from '../cli/command-line.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

const INTERVAL_MS = 10;

interface CreatedKey {
  readonly id: string;
  readonly key: string;
}

/** A data directory with the real store and audit, a watch that looks often, and the command line for the keys. */
async function newWatchPlace(t: TestContext) {
  const place = await newPlace(t);
  const environment = { SALLYPORT_DATA_DIR: place.dataDir };
  const cli = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli(['keys', ...args], { environment });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const create = async (name: string): Promise<CreatedKey> =>
    JSON.parse(await cli('create', name, '--scope', 'runs:approve', '--expires', '30d', '--json')) as CreatedKey;
  const log = { info: none, warn: none, error: none };
  const start = async (intervalMs = INTERVAL_MS) => {
    const audit = await place.open();
    const watch = await openKeyWatch({ keys: place.store.keys, audit, log, intervalMs });
    t.after(() => watch.stop());
    const told = async (): Promise<readonly AuditRecord[]> =>
      (await audit.page({ limit: 1000 })).records.filter(({ type }) => type.startsWith('key.'));
    const stop = async (): Promise<void> => {
      await watch.stop();
      await audit.close();
    };
    return { audit, keys: watch.keys, told, stop };
  };
  return { ...place, cli, create, start };
}

function none(): void {
  // Nobody reads this log.
}

const brief = (records: readonly AuditRecord[]) => records.map(({ type, data }) => [type, data['id']]);

test('a key that the command line makes and revokes is in the audit exactly once each, also over a restart', async (t) => {
  const { create, cli, start } = await newWatchPlace(t);
  const first = await start();
  const { id, key } = await create('second person');
  await until(() => first.audit.lastSeq() === 1);
  await cli('revoke', id);
  await until(() => first.audit.lastSeq() === 2);
  const told = await first.told();
  assert.deepEqual(brief(told), [
    ['key.created', id],
    ['key.revoked', id],
  ]);
  const { data } = told[0] as AuditRecord;
  assert.deepEqual(
    [data['name'], data['scopes'], data['noticed'], data['prefix']],
    ['second person', ['runs:approve'], true, key.slice(0, 11)],
  );
  for (const name of ['createdAt', 'expiresAt']) assert.match(String(data[name]), /^\d{4}-.*Z$/);
  assert.match(String(told[1]?.data['revokedAt']), /^\d{4}-.*Z$/);
  await first.stop();
  const again = await start();
  await again.stop();
  assert.deepEqual(await again.told(), told);
});

test('what happened to keys while no gateway ran is noted by the next start, before anything else of it', async (t) => {
  const { create, cli, start } = await newWatchPlace(t);
  const before = await create('before');
  const first = await start();
  await until(() => first.audit.lastSeq() === 1);
  assert.deepEqual(brief(await first.told()), [['key.created', before.id]]);
  await first.stop();
  const meanwhile = await create('meanwhile');
  for (const { id } of [before, meanwhile]) await cli('revoke', id);
  const second = await start();
  await second.audit.append({ type: 'run.started' });
  assert.deepEqual(brief(await second.told()).slice(1), [
    ['key.revoked', before.id],
    ['key.created', meanwhile.id],
    ['key.revoked', meanwhile.id],
  ]);
  assert.equal((await second.audit.page({ type: 'run.started' })).records[0]?.seq, 5);
});

test('no deed of a key comes before the key in the audit, however soon it is used', async (t) => {
  const { store, start } = await newWatchPlace(t);
  const { audit, keys } = await start(3_600_000);
  const { key, record } = createKey({ name: 'bob', scopes: ['runs:approve'], clock: systemClock });
  await store.keys.add(record);
  const authenticator = createAuthenticator({ store: keys, clock: systemClock });
  const principal = await authenticator.authenticate(`Bearer ${key}`);
  await audit.append({ type: 'approval.approved', principal: principal.id });
  const { records } = await audit.page({ limit: 10 });
  assert.deepEqual(
    records.map(({ type }) => type),
    ['key.created', 'approval.approved'],
  );
});

test('a key that is taken out of the table, or made valid again there, is noted', async (t) => {
  const { create, cli, dataDir, start } = await newWatchPlace(t);
  const [one, two] = [await create('one'), await create('two')];
  await cli('revoke', one.id);
  const { audit, told, keys } = await start(3_600_000);
  const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
  t.after(() => database.close());
  database.prepare('UPDATE api_keys SET revoked = NULL, created = ? WHERE id = ?').run(9e15, one.id);
  database.prepare('DELETE FROM api_keys WHERE id = ?').run(two.id);
  await keys.list();
  await audit.append({ type: 'run.started' });
  const last = (await told()).slice(-2);
  assert.deepEqual(brief(last), [
    ['key.created', one.id],
    ['key.revoked', two.id],
  ]);
  // A time that is none ends nobody's authentication.
  assert.deepEqual([last[0]?.data['createdAt'], last[1]?.data['isRemoved']], ['no moment', true]);
});

test('neither a key nor its hash is in the audit of a gateway, and what it notes is there for whoever reads the audit', async (t) => {
  const { app, gateway, headers, key } = await startTestGateway(t);
  const secret = await key(['audit:read'], 'auditor');
  const answer = await app.inject({
    url: '/v1/audit?type=key.created',
    headers: { authorization: `Bearer ${secret}` },
  });
  assert.equal(answer.statusCode, 200, answer.body);
  // Its own key was noted when it was let in; the reading of the page may have been faster than the record.
  await gateway.permission.audit.append({ type: 'run.removed' });
  const { body } = await app.inject({ url: '/v1/audit?limit=1000', headers });
  const { records } = JSON.parse(body) as { readonly records: readonly AuditRecord[] };
  const noted = records.filter(({ type }) => type === 'key.created').map(({ data }) => [data['name'], data['prefix']]);
  const prefixOf = (text: string): string => text.slice(0, 11);
  assert.deepEqual(noted, [
    ['test', prefixOf(headers.authorization.slice('Bearer '.length))],
    ['auditor', prefixOf(secret)],
  ]);
  for (const record of await gateway.permission.keys.list()) assert.ok(!body.includes(record.hash));
  for (const text of [secret, headers.authorization.slice('Bearer '.length)]) assert.ok(!body.includes(text.slice(12)));
});
