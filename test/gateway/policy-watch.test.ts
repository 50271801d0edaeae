import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startDnsServer } from '../fixtures/dns-server.ts';
import { gone, KILL_LIMIT_MS, type KillPlace, startKillPlace } from './kill-rig.ts';
import { startWatchedPlace } from './watched-place.ts';

/** Starts a hostile run, takes its permission away, and prints how long its processes were still there. */
async function endsBy(t: TestContext, take: (place: KillPlace) => Promise<number>, code: string): Promise<void> {
  const place = await startKillPlace(t);
  const runId = await place.start('mine', ['escape', '2', 'stay']);
  const other = await place.start('theirs', ['stubborn']);
  const waitMs = await take(place);
  const goneMs = (await gone(place.directories.mine, waitMs + 3 * KILL_LIMIT_MS)) - waitMs;
  t.diagnostic(`every process was gone ${goneMs.toFixed(0)} ms after the permission was`);
  // The promise is 5 s.
  assert.ok(goneMs < 2.5 * KILL_LIMIT_MS);
  let run = await place.run(runId);
  for (const end = performance.now() + 20_000; run.state === 'running' && performance.now() < end; await delay(50)) {
    run = await place.run(runId);
  }
  assert.deepEqual([run.state, run.error?.code], ['ended_by_policy', code]);
  const { body } = await place.get(`/v1/runs/${runId}/output?stream=stdout`);
  assert.match(JSON.stringify(body), /ready/, 'what it brought is kept');
  assert.equal((await place.run(other)).state, 'running');
}

async function put(place: KillPlace, changes: object): Promise<void> {
  const { body } = await place.get('/v1/engagements/acme');
  const answer = await place.app.inject({
    method: 'PUT',
    url: '/v1/engagements/acme',
    headers: place.headers,
    payload: { ...(body['document'] as object), ...changes },
  });
  assert.ok(answer.statusCode < 300, answer.body);
}

test('a running run ends when its engagement is revoked', (t) =>
  endsBy(
    t,
    async (place) => {
      const answer = await place.post('/v1/engagements/acme/revoke', { reason: 'the client called' });
      assert.ok(answer.status < 300, JSON.stringify(answer.body));
      return 0;
    },
    'ERR_ENGAGEMENT_REVOKED',
  ));

test('a running run ends when its engagement runs out, without anybody doing anything', (t) =>
  endsBy(
    t,
    async (place) => {
      const until = Date.now() + 3000;
      await put(place, { window: { until: new Date(until).toISOString() } });
      return until - Date.now();
    },
    'ERR_ENGAGEMENT_EXPIRED',
  ));

test('a running run ends when its tool is taken out of its engagement', (t) =>
  endsBy(
    t,
    async (place) => {
      await put(place, { tools: { allow: ['theirs'] } });
      return 0;
    },
    'ERR_ENGAGEMENT_TOOL_DENIED',
  ));

test('a running run ends when its principal is taken out of its engagement', (t) =>
  endsBy(
    t,
    async (place) => {
      await put(place, { principals: ['somebody else'] });
      return 0;
    },
    'ERR_ENGAGEMENT_REVOKED',
  ));

test('a running run ends when the key that started it is revoked', async (t) => {
  const place = await startWatchedPlace(t);
  const [mine, operator] = [await place.key('mine'), await place.key('operator')];
  await place.put(operator, 'acme');
  const runId = await place.hold(mine, '10.1.1.1');
  await place.runIn('running', operator, runId);
  await place.revoke(mine);
  const ended = await place.runIn('ended_by_policy', operator, runId);
  assert.equal(ended.error?.code, 'ERR_AUTH_FORBIDDEN');
});

test('a run that waited through a restart ends when its target leaves the scope', async (t) => {
  const place = await startWatchedPlace(t);
  const mine = await place.key('mine');
  await place.put(mine, 'acme');
  const first = await place.hold(mine, '10.1.1.1');
  await place.runIn('running', mine, first);
  const runId = await place.hold(mine, '10.2.2.2');
  await place.restart();
  await place.runIn('running', mine, runId);
  await place.put(mine, 'acme', { scope: { allow: ['10.1.0.0/16'] } });
  const ended = await place.runIn('ended_by_policy', mine, runId);
  assert.equal(ended.error?.code, 'ERR_TARGET_OUT_OF_SCOPE');
});

/** A server of names whose answer a test changes; its questions are counted. */
async function nameServer(t: TestContext) {
  const names: { address: string; fault?: 'silence' | 'failure' } = { address: '10.1.1.1' };
  const server = await startDnsServer(({ type }) => {
    if (names.fault === 'silence') return { silent: true };
    if (names.fault === 'failure') return { code: 'SERVFAIL' };
    return type === 'A' ? { records: [{ a: names.address }], ttl: 1 } : {};
  });
  t.after(() => server[Symbol.asyncDispose]());
  const yaml = `port: 0\nresolver: { servers: ["${server.address}"], cacheTtlMs: 0, timeoutMs: 20000 }\n`;
  return { names, yaml, asked: () => server.asked.length };
}

test('a run is judged by the address that its name had when it started, not by the one it was queued with', async (t) => {
  const { names, yaml } = await nameServer(t);
  const place = await startWatchedPlace(t, { yaml });
  const mine = await place.key('mine');
  await place.put(mine, 'acme');
  const first = await place.hold(mine, '10.3.3.3');
  const runId = await place.hold(mine, 'www.acme.test');
  names.address = '10.9.9.9';
  await place.runIn('running', mine, first);
  await place.cancel(mine, first);
  const { targets } = await place.runIn('running', mine, runId);
  assert.deepEqual(targets[0]?.addresses, ['10.9.9.9']);
  // The name moved back, and the process has the address all the same.
  names.address = '10.1.1.1';
  await place.put(mine, 'acme', { scope: { allow: ['10.0.0.0/8', '*.acme.test'], deny: ['10.9.0.0/16'] } });
  const ended = await place.runIn('ended_by_policy', mine, runId);
  assert.equal(ended.error?.code, 'ERR_TARGET_OUT_OF_SCOPE');
});

for (const fault of ['silence', 'failure'] as const) {
  test(`a server of names that answers with ${fault} neither ends its own runs nor holds up the end of others`, async (t) => {
    const { names, yaml, asked } = await nameServer(t);
    const place = await startWatchedPlace(t, { yaml, places: 2 });
    const [mine, theirs] = [await place.key('mine'), await place.key('theirs')];
    await place.put(mine, 'acme', { principals: ['mine'] });
    await place.put(mine, 'other', { principals: ['theirs'] });
    const leaving = await place.hold(mine, '10.2.2.2');
    const named = await place.hold(theirs, 'www.acme.test');
    await place.runIn('running', mine, leaving);
    await place.runIn('running', theirs, named);
    names.fault = fault;
    const askedBefore = asked();
    const changedAt = performance.now();
    await place.put(mine, 'acme', { principals: ['mine'], scope: { allow: ['10.1.0.0/16'] } });
    const ended = await place.runIn('ended_by_policy', mine, leaving);
    assert.equal(ended.error?.code, 'ERR_TARGET_OUT_OF_SCOPE');
    const waitedMs = performance.now() - changedAt;
    t.diagnostic(`ended ${waitedMs.toFixed(0)} ms after the change`);
    assert.ok(waitedMs < KILL_LIMIT_MS, 'the look-up would have taken 20 s');
    // Its own engagement changes too, in a way that permits it all the same.
    await place.put(theirs, 'other', { principals: ['theirs'], title: 'renamed' });
    assert.equal((await place.run(theirs, named)).state, 'running');
    assert.equal(asked(), askedBefore, 'no name is looked up for a run that goes on');
  });
}
