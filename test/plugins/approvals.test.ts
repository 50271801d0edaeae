import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import approvalRoutes from '../../plugins/approvals.ts';
import errors from '../../plugins/errors.ts';
import requestContext from '../../plugins/request-context.ts';
import type { Approval } from '../../schemas/approval.ts';
import { accessOf } from '../../src/core/auth/access.ts';
import type { Principal } from '../../src/core/auth/types.ts';
import { ALICE, ASKER, BOB, DIGEST, key, openDesk, type Rig } from '../core/approval/rig.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const BODY = { digest: DIGEST, reason: 'looked at it' };

/** The routes over a real desk; the header `x-as` is the id of the key. */
async function open(t: TestContext, rig: Rig): Promise<FastifyInstance> {
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true } } });
  t.after(() => app.close());
  await app.register(requestContext, { log: quiet });
  await app.register(errors, { log: quiet, redactor: { redactValue: (value) => value } });
  await app.register(
    fp(
      async (instance) => {
        instance.decorateRequest('principal', null);
        instance.addHook('onRequest', async (request) => {
          request.principal = rig.keys.get(String(request.headers['x-as'])) ?? null;
        });
      },
      { name: 'auth' },
    ),
  );
  await app.register(fp(async () => undefined, { name: 'principal-limit' }));
  await app.register(approvalRoutes, { approvals: rig.approvals });
  return app;
}

async function ask(
  app: FastifyInstance,
  who: Principal | undefined,
  [line, payload]: readonly [line: string, payload?: unknown],
) {
  const [method, url] = line.split(' ') as ['GET' | 'POST', string];
  const response = await app.inject({
    method,
    url,
    headers: who === undefined ? {} : { 'x-as': who.id },
    ...(payload === undefined ? {} : { payload: payload as object }),
  });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

test('a request is listed, shown and approved over REST, and the run goes on', async (t) => {
  const rig = await openDesk(t);
  const app = await open(t, rig);
  const { runId, end } = await rig.start();
  const listed = await ask(app, ALICE, ['GET /v1/approvals']);
  const shown = await ask(app, ALICE, [`GET /v1/approvals/${runId}`]);
  assert.deepEqual(listed.body, { approvals: [shown.body] });
  assert.equal(shown.body['digest'], DIGEST);
  const approved = await ask(app, ALICE, [`POST /v1/approvals/${runId}/approve`, BODY]);
  assert.equal(approved.status, 200);
  const view = approved.body as unknown as Approval;
  assert.equal(view.state, 'approved');
  assert.equal(view.decisions[0]?.via, 'rest');
  assert.equal(await end, 'consented');
  assert.equal(rig.audited.at(-1)?.type, 'approval.approved');
  assert.deepEqual((await ask(app, ALICE, ['GET /v1/approvals'])).body, { approvals: [] });
});

test('a request is denied over REST, and the run ends', async (t) => {
  const rig = await openDesk(t);
  const app = await open(t, rig);
  const { runId, end } = await rig.start({ quorum: 3 });
  const denied = await ask(app, BOB, [`POST /v1/approvals/${runId}/deny`, BODY]);
  assert.equal(denied.body['state'], 'denied');
  assert.equal(await end, 'ERR_APPROVAL_DENIED');
});

test('each refusal has its status and its code', async (t) => {
  const rig = await openDesk(t);
  const app = await open(t, rig);
  const second = key('key_second', ASKER.name);
  rig.keys.set(second.id, second);
  const { runId } = await rig.start({ quorum: 2 });
  const approve = async (who: Principal | undefined, body: unknown = BODY, id = runId) => {
    const { status, body: answer } = await ask(app, who, [`POST /v1/approvals/${id}/approve`, body]);
    return `${status} ${String(answer['code'])}`;
  };
  assert.equal(await approve(undefined), '401 ERR_AUTH_REQUIRED');
  assert.equal(await approve(second), '403 ERR_APPROVAL_SELF');
  assert.equal(await approve(ALICE, BODY, 'somebody-elses'), '404 ERR_APPROVAL_UNKNOWN');
  assert.equal(await approve(ALICE, BODY, '%2e%2e%2fx'), '404 ERR_APPROVAL_UNKNOWN');
  assert.equal(await approve(ALICE, { ...BODY, digest: 'b'.repeat(64) }), '403 ERR_PLAN_CHANGED');
  const malformed = [
    {},
    { digest: DIGEST },
    { ...BODY, reason: '' },
    { ...BODY, reason: 'x'.repeat(501) },
    { ...BODY, reason: 1 },
    { ...BODY, digest: DIGEST.toUpperCase() },
    { ...BODY, by: 'key_bob' },
  ];
  for (const body of malformed) assert.equal(await approve(ALICE, body), '400 ERR_INPUT_INVALID');
  assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
  assert.equal(await approve(ALICE), '200 undefined');
  assert.equal(await approve(ALICE), '409 ERR_APPROVAL_REPEATED');
  assert.equal(await approve(BOB), '200 undefined');
  assert.equal(await approve(BOB), '409 ERR_APPROVAL_OVER');
});

test('every route of approvals asks for runs:approve', () => {
  for (const route of ['GET /v1/approvals', 'GET /v1/approvals/:id', 'POST /v1/approvals/:id/approve'] as const) {
    const [method = '', path = ''] = route.split(' ');
    assert.deepEqual(accessOf(method, path), { kind: 'scope', scope: 'runs:approve' });
  }
  assert.deepEqual(accessOf('POST', '/v1/approvals/:id/deny'), { kind: 'scope', scope: 'runs:approve' });
});
