import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openStore } from '../../src/store/store.ts';
import { living } from '../core/execution/harness.ts';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';
import { gone, HOSTILE, KILL_LIMIT_MS, type KillPlace, startKillPlace } from './kill-rig.ts';

const reason = 'wrong network';

/** Kills, and prints how long the processes of a directory were still there. */
async function killAndWatch(t: TestContext, place: KillPlace, body: object) {
  const looking = gone(place.directories.mine);
  const startedAt = performance.now();
  const answer = await place.post('/v1/kill', { reason, ...body });
  const answeredMs = performance.now() - startedAt;
  const goneMs = await looking;
  t.diagnostic(
    `every process was gone after ${goneMs.toFixed(0)} ms, the answer came after ${answeredMs.toFixed(0)} ms`,
  );
  assert.ok(goneMs < KILL_LIMIT_MS, `still there after ${KILL_LIMIT_MS} ms`);
  return answer;
}

test('a kill ends every process of several hostile runs, and the runs keep what they brought', async (t) => {
  const place = await startKillPlace(t);
  const runs = await Promise.all(HOSTILE.map((hostile) => place.start('mine', hostile)));
  const waiting = await place.post(
    '/v1/tools/mine/runs',
    { input: { program: 'stubborn' }, run: { engagement: 'acme' } },
    { prefer: 'respond-async' },
  );
  assert.ok(living(place.directories.mine).length > HOSTILE.length, 'they were alive before');
  const { status, body } = await killAndWatch(t, place, {});
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body['endedRuns'], body['survivors'], body['active']], [HOSTILE.length + 1, 0, true]);
  for (const runId of [...runs, String(waiting.body['runId'])]) {
    const { state, error } = await place.run(runId);
    assert.deepEqual([state, error?.code], ['ended_by_policy', 'ERR_KILL_SWITCH']);
  }
  const { body: kept } = await place.get(`/v1/runs/${runs[0]}/output?stream=stdout`);
  assert.match(JSON.stringify(kept), /ready/);
});

test('a kill of one engagement leaves the processes of the others running', async (t) => {
  const place = await startKillPlace(t);
  const mine = await place.start('mine', ['escape', '2', 'stay']);
  const theirs = await place.start('theirs', ['stubborn']);
  const { body } = await killAndWatch(t, place, { engagement: 'acme' });
  assert.equal(body['endedRuns'], 1);
  assert.equal((await place.run(mine)).state, 'ended_by_policy');
  assert.equal((await place.run(theirs)).state, 'running');
  assert.ok(living(place.directories.theirs).length > 0, 'it is still there');
  const again = { input: { program: 'stubborn' }, run: { engagement: 'acme' } };
  assert.equal((await place.post('/v1/tools/mine/runs', again)).body['code'], 'ERR_KILL_SWITCH');
  const plan = { input: { program: 'stubborn' }, run: { engagement: 'other' } };
  assert.equal((await place.post('/v1/tools/theirs/plan', plan)).body['decision'], 'allowed');
});

test('new runs and plans are refused in every channel until it is lifted', async (t) => {
  const place = await startKillPlace(t);
  await place.post('/v1/kill', { reason });
  const asked = { input: { program: 'stubborn' }, run: { engagement: 'acme' } };
  const refused = await place.post('/v1/tools/mine/runs', asked);
  assert.deepEqual([refused.status, refused.body['code']], [423, 'ERR_KILL_SWITCH']);
  const plan = await place.post('/v1/tools/mine/plan', asked);
  assert.match(JSON.stringify(plan.body), /"refused".*ERR_KILL_SWITCH/);
  const url = new URL('/mcp', await place.app.listen({ host: '127.0.0.1', port: 0 }));
  const key = place.headers.authorization.replace('Bearer ', '');
  const call = { name: 'mine', arguments: { program: 'stubborn', run: { engagement: 'acme' } } };
  for (const connect of [connectLegacy, connectModern]) {
    const { client } = await connect(t, url, { key });
    const answer = await client.callTool(call);
    assert.equal(answer.isError, true);
    assert.match(JSON.stringify(answer), /ERR_KILL_SWITCH/);
    // It is read by a model: neither who nor why.
    assert.doesNotMatch(JSON.stringify(answer), new RegExp(reason));
  }
  await place.post('/v1/kill/lift', { reason: 'over' });
  assert.equal((await place.post('/v1/tools/mine/plan', asked)).body['decision'], 'allowed');
});

test('the sentinel file ends runs without anybody asking, and its removal lets new ones start', async (t) => {
  const place = await startKillPlace(t);
  const runId = await place.start('mine', ['escape', '2', 'stay']);
  const looking = gone(place.directories.mine);
  writeFileSync(join(place.dataDir, 'KILL'), '');
  const goneMs = await looking;
  t.diagnostic(`every process was gone ${goneMs.toFixed(0)} ms after the file was there`);
  assert.ok(goneMs < KILL_LIMIT_MS);
  assert.ok(await untilAsync(async () => (await place.run(runId)).state === 'ended_by_policy'));
  const lift = await place.post('/v1/kill/lift', { reason: 'over' });
  assert.deepEqual([lift.status, lift.body['code']], [423, 'ERR_KILL_SWITCH']);
  rmSync(join(place.dataDir, 'KILL'));
  assert.ok(await untilAsync(async () => (await place.get('/v1/kill')).body['active'] === false));
  assert.ok(await place.start('mine', ['stubborn']));
});

test('a signal ends hostile runs like any other kill', async (t) => {
  const place = await startKillPlace(t);
  const runId = await place.start('mine', ['escape', '2', 'stay']);
  const looking = gone(place.directories.mine);
  place.gateway.permission.killSwitch.engageBySignal();
  const goneMs = await looking;
  t.diagnostic(`every process was gone after ${goneMs.toFixed(0)} ms`);
  assert.ok(goneMs < KILL_LIMIT_MS);
  assert.ok(await untilAsync(async () => (await place.run(runId)).state === 'ended_by_policy'));
});

test('a store and an audit that cannot be written keep nothing alive', async (t) => {
  const place = await startKillPlace(t);
  const runId = await place.start('mine', ['escape', '2', 'stay']);
  // Somebody holds the database: neither runs nor audit nor the switch can be written.
  const other = new DatabaseSync(join(place.dataDir, 'sallyport.db'), { timeout: 30_000 });
  other.exec('BEGIN IMMEDIATE');
  const answer = await killAndWatch(t, place, {});
  assert.deepEqual([answer.status, answer.body['code']], [503, 'ERR_STORE_UNAVAILABLE']);
  assert.equal((await place.get('/v1/kill')).body['active'], true);
  other.exec('ROLLBACK');
  other.close();
  assert.ok(await untilAsync(async () => (await place.run(runId)).state === 'ended_by_policy', 30_000));
  const stored = await openStore(place.dataDir, { readOnly: true });
  t.after(() => stored.close());
  assert.ok(await untilAsync(async () => (await stored.kills.all()).length === 1, 30_000), 'it became durable');
});

test('who pulled it is in the audit, and it can be seen in health and metrics', async (t) => {
  const place = await startKillPlace(t);
  await place.post('/v1/kill', { reason });
  const { audit } = place.gateway.permission;
  const find = async () =>
    (await audit.page({ type: 'kill.engaged' })).records.find(({ type }) => type === 'kill.engaged');
  // It did not wait for its record.
  assert.ok(await untilAsync(async () => (await find()) !== undefined));
  const record = await find();
  assert.match(String(record?.principal), /^key_/);
  assert.equal(record?.data['reason'], reason);
  const metrics = await place.app.inject({ url: '/metrics', headers: place.headers });
  assert.match(metrics.body, /sallyport_kill_switch_active\{scope="all"\} 1/);
  assert.ok(await untilAsync(async () => (await place.get('/health')).body['status'] === 'degraded'));
  assert.equal((await place.app.inject('/health/ready')).statusCode, 200);
});

for (const scope of ['runs:execute', 'engagements:write', 'admin:config'] as const) {
  test(`a key with ${scope} and no admin:kill pulls, lifts and sees nothing`, async (t) => {
    const { app, key } = await startKillPlace(t);
    const headers = { authorization: `Bearer ${await key([scope])}` };
    for (const url of ['/v1/kill', '/v1/kill/lift']) {
      const answer = await app.inject({ method: 'POST', url, headers, payload: { reason } });
      assert.equal(answer.json().code, 'ERR_AUTH_FORBIDDEN');
    }
    assert.equal((await app.inject({ url: '/v1/kill', headers })).statusCode, 403);
  });
}

/** Waits until something holds, at most so long that a busy machine is not taken for a broken one. */
async function untilAsync(holds: () => Promise<boolean>, limitMs = 20_000): Promise<boolean> {
  for (const end = performance.now() + limitMs; performance.now() < end; await delay(50)) {
    if (await holds()) return true;
  }
  return false;
}
