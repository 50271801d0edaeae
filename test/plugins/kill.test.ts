import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import errors from '../../plugins/errors.ts';
import kill from '../../plugins/kill.ts';
import requestContext from '../../plugins/request-context.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { killRig } from '../core/kill/rig.ts';

async function serve(t: TestContext): Promise<{ app: FastifyInstance; rig: Awaited<ReturnType<typeof killRig>> }> {
  const rig = await killRig();
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  t.after(() => app.close());
  const none = () => undefined;
  const log = { info: none, warn: none, error: none };
  await app.register(requestContext, { log });
  await app.register(errors, { log, redactor: createRedactor() });
  // Who calls is somebody else's concern; the test of the whole gateway has it.
  await app.register(
    fp(
      async (each) => {
        each.decorateRequest('principal', null);
        each.addHook('onRequest', async (request) => {
          if (request.headers['x-nobody'] !== undefined) return;
          request.principal = { id: 'key_operator', name: 'operator', scopes: new Set(SCOPES) };
        });
      },
      { name: 'auth' },
    ),
  );
  await app.register(fp(async () => none(), { name: 'principal-limit' }));
  await app.register(kill, { killSwitch: rig.kill });
  return { app, rig };
}

const postAs = (app: FastifyInstance, headers: Record<string, string>) => (url: string, payload: object) =>
  app.inject({ method: 'POST', url, payload, headers });
const post = (app: FastifyInstance, url: string, payload: object) => postAs(app, {})(url, payload);

test('a kill answers what it did, the state says that it is on, and a lift ends it', async (t) => {
  const { app, rig } = await serve(t);
  rig.runs.add('one');
  const killed = await post(app, '/v1/kill', { reason: 'wrong network' });
  assert.equal(killed.statusCode, 200);
  const { endedRuns, survivors, switches } = killed.json();
  assert.deepEqual([endedRuns, survivors, switches[0].by, switches[0].reason], [1, 0, 'key_operator', 'wrong network']);
  assert.deepEqual((await app.inject('/v1/kill')).json().switches, switches);
  const lifted = await post(app, '/v1/kill/lift', { reason: 'over' });
  assert.deepEqual([lifted.statusCode, lifted.json()], [200, { active: false, switches: [] }]);
  assert.deepEqual(
    rig.audited.map(({ type, principal, requestId }) => [type, principal, typeof requestId]),
    [
      ['kill.engaged', 'key_operator', 'string'],
      ['kill.lifted', 'key_operator', 'string'],
    ],
  );
});

test('one engagement is killed and lifted by its id', async (t) => {
  const { app } = await serve(t);
  const body = { engagement: 'acme', reason: 'r' };
  assert.equal((await post(app, '/v1/kill', body)).json().switches[0].engagement, 'acme');
  assert.equal((await post(app, '/v1/kill/lift', { reason: 'r' })).statusCode, 400);
  assert.equal((await post(app, '/v1/kill/lift', body)).json().active, false);
});

test('what is no kill request changes nothing', async (t) => {
  const { app, rig } = await serve(t);
  const reason = 'r';
  for (const body of [
    {},
    { reason: '' },
    { reason: 'x'.repeat(501) },
    { reason, engagement: '' },
    { reason, engagement: null },
    { reason, everything: true },
  ]) {
    const refused = await post(app, '/v1/kill', body);
    assert.equal(refused.statusCode, 400, JSON.stringify(body));
    assert.equal(refused.json().code, 'ERR_INPUT_INVALID');
  }
  assert.equal((await post(app, '/v1/kill', { reason, engagement: 'acne' })).json().code, 'ERR_ENGAGEMENT_UNKNOWN');
  assert.equal(rig.kill.state().active, false);
});

test('a caller whom nobody authenticated pulls and lifts nothing', async (t) => {
  const { app, rig } = await serve(t);
  const asNobody = postAs(app, { 'x-nobody': '1' });
  assert.equal((await asNobody('/v1/kill', { reason: 'r' })).statusCode, 401);
  await post(app, '/v1/kill', { reason: 'r' });
  assert.equal((await asNobody('/v1/kill/lift', { reason: 'r' })).statusCode, 401);
  assert.equal(rig.kill.state().active, true);
});

test('a kill that is not durable is an error that says it is in force', async (t) => {
  const { app, rig } = await serve(t);
  rig.broken.store = true;
  const answer = await post(app, '/v1/kill', { reason: 'r' });
  assert.deepEqual([answer.statusCode, answer.json().code], [503, 'ERR_STORE_UNAVAILABLE']);
  assert.equal((await app.inject('/v1/kill')).json().active, true);
});
