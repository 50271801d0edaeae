import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gone, KILL_LIMIT_MS, type KillPlace, startKillPlace } from './kill-rig.ts';

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
