import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import fp from 'fastify-plugin';
import engagements from '../../plugins/engagements.ts';
import errors from '../../plugins/errors.ts';
import requestContext from '../../plugins/request-context.ts';
import scope from '../../plugins/scope.ts';
import type { ScopeView } from '../../schemas/scope-view.ts';
import { ACCESS } from '../../src/core/auth/access.ts';
import { key, open, sample } from '../core/engagement/rig.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The routes over engagements in memory; every caller is `boss`. */
async function start(t: TestContext) {
  const rig = await open();
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allErrors: true } } });
  t.after(() => app.close());
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url }) => void routes.push(...[method].flat().map((verb) => `${verb} ${url}`)));
  await app.register(requestContext, { log: quiet });
  await app.register(errors, { log: quiet, redactor: { redactValue: (value) => value } });
  await app.register(
    fp(
      async (instance) => {
        instance.decorateRequest('principal', null);
        instance.addHook('onRequest', async (request) => {
          request.principal = request.headers['x-nobody'] === undefined ? key('boss') : null;
        });
      },
      { name: 'auth' },
    ),
  );
  await app.register(fp(async () => undefined, { name: 'principal-limit' }));
  await app.register(engagements, { desk: rig.desk });
  const view = { killed: false, mustName: false, engagements: [] };
  await app.register(scope, {
    scopeOf: ({ id, name }): ScopeView => ({ principal: { id, name, scopes: [] }, ...view }),
  });
  const ask = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: unknown) => {
    const reply = await app.inject({ method, url, ...(body !== undefined && { payload: body as object }) });
    return {
      status: reply.statusCode,
      body: reply.body === '' ? undefined : (reply.json() as Record<string, unknown>),
    };
  };
  return { ...rig, app, ask, routes };
}

test('every route has its row of access', async (t) => {
  const { routes } = await start(t);
  const own = routes.filter((route) => !route.startsWith('HEAD') && !route.startsWith('OPTIONS'));
  assert.ok(own.length >= 8);
  for (const route of own) assert.ok(Object.hasOwn(ACCESS, route), route);
});

test('an engagement is put, shown, revoked, reinstated and removed', async (t) => {
  const { ask, audited } = await start(t);
  const put = await ask('PUT', '/v1/engagements/acme', sample());
  assert.deepEqual([put.status, put.body?.['state']], [200, 'open']);
  assert.deepEqual(put.body?.['document'], sample());
  assert.deepEqual((await ask('GET', '/v1/engagements/acme')).body, put.body);
  const all = (await ask('GET', '/v1/engagements')).body?.['engagements'] as { id: string }[];
  assert.deepEqual(
    all.map(({ id }) => id),
    ['acme', 'default'],
  );
  const revoked = await ask('POST', '/v1/engagements/acme/revoke', { reason: 'stop' });
  assert.deepEqual([revoked.status, revoked.body?.['state']], [200, 'revoked']);
  const lifted = await ask('POST', '/v1/engagements/acme/reinstate', { reason: 'go' });
  assert.deepEqual([lifted.status, lifted.body?.['state'], lifted.body?.['revoked']], [200, 'open', null]);
  assert.equal((await ask('DELETE', '/v1/engagements/acme?reason=over')).status, 204);
  assert.equal((await ask('GET', '/v1/engagements/acme')).status, 404);
  const versions = (await ask('GET', '/v1/engagements/acme/versions')).body?.['versions'] as { version: string }[];
  assert.deepEqual(
    versions.map(({ version }) => version),
    [put.body?.['version']],
  );
  assert.deepEqual(
    audited.filter(({ engagement }) => engagement === 'acme').map(({ type, principal }) => [type, principal]),
    ['put', 'revoked', 'reinstated', 'removed'].map((verb) => [`engagement.${verb}`, 'key_boss']),
  );
});

test('an invalid document is answered with its own code and every fault', async (t) => {
  const { ask, app } = await start(t);
  const reply = await ask('PUT', '/v1/engagements/acme', {
    ...sample(),
    scope: { allow: ['0.0.0.0/0'] },
    title: 'a\nb',
  });
  assert.deepEqual([reply.status, reply.body?.['code']], [400, 'ERR_ENGAGEMENT_INVALID']);
  const details = reply.body?.['details'] as { faults: { path: string }[] } | undefined;
  assert.deepEqual(
    details?.faults.map(({ path }) => path),
    ['/title', '/scope/allow/0'],
  );
  for (const payload of ['[]', '"x"', 'null', '1']) {
    const headers = { 'content-type': 'application/json' };
    const strange = await app.inject({ method: 'PUT', url: '/v1/engagements/acme', headers, payload });
    assert.equal(strange.statusCode, 400, payload);
  }
});

test('the id of the path is the id of the document', async (t) => {
  const { ask } = await start(t);
  const reply = await ask('PUT', '/v1/engagements/other', sample());
  assert.deepEqual([reply.status, reply.body?.['code']], [400, 'ERR_ENGAGEMENT_INVALID']);
  assert.equal((await ask('GET', '/v1/engagements/acme')).status, 404);
});

test('a change without a reason, or with more than that, is refused', async (t) => {
  const { ask } = await start(t);
  await ask('PUT', '/v1/engagements/acme', sample());
  for (const [method, url, body] of [
    ['DELETE', '/v1/engagements/acme', undefined],
    ['DELETE', '/v1/engagements/acme?reason=', undefined],
    ['POST', '/v1/engagements/acme/revoke', {}],
    ['POST', '/v1/engagements/acme/revoke', { reason: '' }],
    ['POST', '/v1/engagements/acme/revoke', { reason: 'x', by: 'somebody' }],
    ['POST', '/v1/engagements/acme/revoke', { reason: 'x'.repeat(501) }],
    ['POST', '/v1/engagements/acme/reinstate', { reason: '\u200B' }],
  ] as const) {
    const reply = await ask(method, url, body);
    assert.deepEqual([reply.status, reply.body?.['code']], [400, 'ERR_INPUT_INVALID'], `${method} ${url}`);
  }
  assert.equal((await ask('GET', '/v1/engagements/acme')).body?.['state'], 'open');
});

test('the configuration’s engagement is not to be changed, and says why', async (t) => {
  const { ask } = await start(t);
  const reply = await ask('PUT', '/v1/engagements/default', sample({ id: 'default' }));
  assert.deepEqual([reply.status, reply.body?.['code']], [409, 'ERR_ENGAGEMENT_READ_ONLY']);
  assert.equal((await ask('DELETE', '/v1/engagements/default?reason=x')).status, 409);
});

test('a change that slipped past authentication is nobody’s', async (t) => {
  const { app } = await start(t);
  const headers = { 'x-nobody': '1' };
  const reply = await app.inject({ method: 'PUT', url: '/v1/engagements/acme', headers, payload: sample() });
  assert.equal(reply.statusCode, 401);
});

test('the scope of the caller is that of the caller', async (t) => {
  const { ask } = await start(t);
  const reply = await ask('GET', '/v1/scope');
  assert.deepEqual(reply.body?.['principal'], { id: 'key_boss', name: 'boss', scopes: [] });
});
