import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditPage, AuditRecord } from '../../schemas/audit.ts';
import { readRecord, textOf } from '../../src/core/audit/chain.ts';
import { isSignedBy } from '../../src/core/audit/checkpoint.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

test('the audit is for whoever holds audit:read, and for nobody else', async (t) => {
  const { app, key } = await startTestGateway(t);
  const routes = ['/v1/audit', '/v1/audit/export?format=jsonl', '/v1/audit/key'];
  const others = await key(['runs:read:all', 'runs:execute', 'admin:config', 'metrics:read'], 'other');
  const auditor = await key(['audit:read'], 'auditor');
  for (const url of routes) {
    assert.equal((await app.inject({ url })).statusCode, 401, url);
    const refused = await app.inject({ url, headers: { authorization: `Bearer ${others}` } });
    assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [403, 'ERR_AUTH_FORBIDDEN'], url);
    const given = await app.inject({ url, headers: { authorization: `Bearer ${auditor}` } });
    assert.equal(given.statusCode, 200, url);
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    const { statusCode } = await app.inject({
      method,
      url: '/v1/audit',
      headers: { authorization: `Bearer ${auditor}` },
    });
    assert.ok([403, 404, 405].includes(statusCode), `${method} ${statusCode}`);
  }
});

test('records are listed page by page and by what they are about, and a query that cannot be is refused', async (t) => {
  const { app, headers, gateway } = await startTestGateway(t);
  const { audit } = gateway.permission;
  for (let n = 0; n < 5; n += 1) {
    await audit.append({ type: 'run.started', runId: `run_${n}`, principal: 'key_x', engagement: 'acme', data: { n } });
  }
  const page = async (query: string): Promise<AuditPage> =>
    (await app.inject({ url: `/v1/audit${query}`, headers })).json<AuditPage>();
  const mine = await page('?engagement=acme&principal=key_x&type=run.started&limit=3');
  assert.deepEqual(
    mine.records.map(({ data }) => data['n']),
    [0, 1, 2],
  );
  const rest = await page(`?engagement=acme&after=${mine.nextAfter}`);
  assert.deepEqual(
    rest.records.map(({ runId }) => runId),
    ['run_3', 'run_4'],
  );
  assert.equal((await page('?runId=run_2')).records.length, 1);
  assert.deepEqual(await page('?runId=run_none'), { records: [] });
  // As they lie in the copies: nothing is dropped or renamed on the way.
  for (const record of mine.records) assert.deepEqual(readRecord(textOf(record))?.own, record.hash);
  for (const query of [
    '?limit=0',
    '?limit=1001',
    '?after=-1',
    '?after=x',
    '?type=run.invented',
    '?other=1',
    '?runId=',
  ]) {
    const refused = await app.inject({ url: `/v1/audit${query}`, headers });
    assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [400, 'ERR_INPUT_INVALID'], query);
  }
});

test('an export is every record in one JSON text each, or those since a moment, or events for a SIEM', async (t) => {
  const { app, headers, gateway } = await startTestGateway(t);
  const { audit } = gateway.permission;
  const get = (query: string) => app.inject({ url: `/v1/audit/export?${query}`, headers });
  // The key of the test is noted when it is seen first.
  await get('format=jsonl');
  for (let n = 0; n < 1500; n += 1) audit.note({ type: 'run.ended', data: { n } });
  const last = await audit.append({ type: 'run.started', data: { text: 'a\nb\u2028c' } });
  const whole = await get('format=jsonl');
  assert.equal(whole.headers['content-type'], 'application/jsonl; charset=utf-8');
  assert.match(String(whole.headers['content-disposition']), /^attachment; filename="audit-jsonl\.jsonl"$/);
  const lines = whole.body.trimEnd().split('\n');
  assert.equal(lines.length, last.seq);
  let prev = '0'.repeat(64);
  for (const line of lines) {
    const record = readRecord(line);
    assert.equal(record?.record.prev, prev);
    prev = record?.own ?? '';
  }
  const since = (await get(`format=jsonl&since=${last.at}`)).body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditRecord);
  assert.ok(since.every(({ at }) => at >= last.at));
  assert.equal(since.at(-1)?.seq, last.seq);
  assert.equal((await get('format=jsonl&since=2999-01-01T00:00:00Z')).body, '');
  const events = (await get('format=ocsf')).body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([events.length, events.every((event) => event['class_uid'] === 6003)], [last.seq, true]);
  for (const query of ['', 'format=csv', 'format=jsonl&since=yesterday', 'format=jsonl&x=1']) {
    assert.equal((await get(query)).statusCode, 400, query);
  }
});

test('the public key verifies the newest checkpoint, and the private one is nowhere in it', async (t) => {
  const { app, headers } = await startTestGateway(t);
  const answer = await app.inject({ url: '/v1/audit/key', headers });
  const { publicKey, keyId, checkpoint } = answer.json<{ publicKey: string; keyId: string; checkpoint: never }>();
  assert.ok(isSignedBy(checkpoint, createPublicKey(publicKey)));
  assert.match(keyId, /^[0-9a-f]{16}$/);
  assert.doesNotMatch(answer.body, /PRIVATE/);
});

test('while the audit cannot be written no run starts, the gateway is not ready, and it says why', async (t) => {
  const { app, headers, gateway, dataDir } = await startTestGateway(t);
  const start = () =>
    app.inject({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word: 'x' } } });
  assert.equal((await start()).statusCode, 200);
  // A line that nobody here wrote: the chain cannot go on behind it.
  writeFileSync(join(dataDir, 'audit', 'audit.jsonl'), 'foreign\n', { flag: 'a' });
  for (let n = 0; n < 2; n += 1) {
    const refused = await start();
    assert.deepEqual([refused.statusCode, refused.json<{ code: string }>().code], [503, 'ERR_AUDIT_UNAVAILABLE']);
  }
  await gateway.health.refresh();
  assert.ok(gateway.health.ready().reasons.includes('audit'));
});
