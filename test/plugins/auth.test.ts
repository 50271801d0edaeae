import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACCESS, accessOf } from '../../src/core/auth/access.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

const code = (response: { json: () => unknown }) => (response.json() as { code: string }).code;

/** Every route that the running app really has, as the router prints them. */
function routesOf(app: { printRoutes: (options: { commonPrefix: boolean }) => string }): [string, string][] {
  const routes: [string, string][] = [];
  const stack: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│ ]*)[├└]── (\S*) \(([A-Z, ]+)\)/.exec(line) ?? /^([│ ]*)[├└]── (\S*)()$/.exec(line);
    if (match === null) continue;
    const depth = (match[1] ?? '').length / 4;
    stack.length = depth;
    stack.push(match[2] ?? '');
    for (const method of (match[3] ?? '').split(', ').filter(Boolean)) routes.push([method, stack.join('')]);
  }
  return routes;
}

test('every route of the running app has an access rule, and without a key only the public ones answer', async (t) => {
  const { app } = await startTestGateway(t, { yaml: 'rateLimit: { authFailuresPerMinute: 1000 }\n' });
  const routes = routesOf(app);
  assert.ok(routes.length > 20, `only ${routes.length} routes were found`);
  for (const [method, url] of routes) {
    const pattern = url.replace(/^\/v1\/tools\/[a-z]+\/(runs|plan)$/, '/v1/tools/:name/$1');
    const access = accessOf(method, pattern);
    assert.ok(access !== undefined, `${method} ${url} has no access rule`);
    const response = await app.inject({
      method: method as 'GET',
      url: url.replace('/docs/*', '/docs/static/swagger-ui.css').replace(/:\w+/g, 'x'),
      headers: { host: 'localhost' },
    });
    if (access.kind === 'public' || access.kind === 'optional')
      assert.notEqual(response.statusCode, 401, `${method} ${url}`);
    else assert.equal(response.statusCode, 401, `${method} ${url} answered without a key`);
  }
});

test('every route refuses a key that holds every scope but the one it needs', async (t) => {
  const { app, key } = await startTestGateway(t);
  const example: Record<string, string> = { ':name': 'echo', ':id': 'secret_xxxxxxxx', '*': '' };
  for (const [route, access] of Object.entries(ACCESS)) {
    if (access.kind === 'public' || access.kind === 'optional') continue;
    const [method = '', pattern = ''] = route.split(' ');
    const url = pattern.replace(/:\w+|\*/g, (part) => example[part] ?? part);
    const without = await key(SCOPES.filter((scope) => scope !== access.scope));
    const response = await app.inject({
      method: method as 'GET',
      url: url === '/docs' ? '/docs/' : url,
      headers: { authorization: `Bearer ${without}`, host: 'localhost' },
    });
    assert.equal(response.statusCode, 403, `${route} answered ${response.statusCode}`);
    assert.equal(code(response), 'ERR_AUTH_FORBIDDEN');
  }
});

test('a route without an access rule cannot be registered', async () => {
  const { default: Fastify } = await import('fastify');
  const { default: auth } = await import('../../plugins/auth.ts');
  const fp = (await import('fastify-plugin')).default;
  const app = Fastify();
  for (const name of ['request-context', 'errors', 'rate-limit'])
    await app.register(fp(async () => undefined, { name }));
  const authenticator = { authenticate: () => Promise.reject(new Error('never asked')) };
  const nothing = () => undefined;
  await app.register(auth, {
    authenticator,
    log: { info: nothing, warn: nothing, error: nothing },
    recorder: { count: nothing, gauge: nothing, observe: nothing },
  });
  assert.throws(() => app.get('/v1/backdoor', async () => 'open'), /missing in src\/core\/auth\/access\.ts/);
});

test('a wrong, a missing and a malformed key get the same answer and a bearer challenge', async (t) => {
  const { app } = await startTestGateway(t);
  const bodies = new Set<string>();
  for (const authorization of [undefined, 'Bearer wrong-wrong-wrong-wrong', 'Basic eDp5', 'Bearer', 'Bearer a b']) {
    const response = await app.inject({
      url: '/v1/tools',
      headers: authorization === undefined ? {} : { authorization },
    });
    assert.equal(response.statusCode, 401);
    assert.equal(code(response), 'ERR_AUTH_REQUIRED');
    assert.match(String(response.headers['www-authenticate']), /^Bearer /);
    bodies.add((response.json() as { message: string }).message);
  }
  assert.equal(bodies.size, 1);
});

test('a key in the query string is not looked at', async (t) => {
  const { app, key } = await startTestGateway(t);
  const secret = await key();
  const response = await app.inject({ url: `/v1/tools?access_token=${secret}&key=${secret}` });
  assert.equal(response.statusCode, 401);
});

test('a browser may send the key as a Basic password to the documentation and to nothing else', async (t) => {
  const { app, key } = await startTestGateway(t);
  const authorization = `Basic ${Buffer.from(`me:${await key()}`).toString('base64')}`;
  assert.equal((await app.inject({ url: '/openapi.json', headers: { authorization } })).statusCode, 200);
  assert.equal((await app.inject({ url: '/v1/tools', headers: { authorization } })).statusCode, 401);
  const challenged = await app.inject({ url: '/docs/' });
  assert.match(String(challenged.headers['www-authenticate']), /^Basic /);
});

test('an address that guessed too often is shut out even with a right key, and told when to come back', async (t) => {
  const { app, key } = await startTestGateway(t, { yaml: 'rateLimit: { authFailuresPerMinute: 3 }\n' });
  const right = { authorization: `Bearer ${await key()}` };
  for (let guess = 0; guess < 3; guess += 1) {
    assert.equal(
      (await app.inject({ url: '/v1/tools', headers: { authorization: 'Bearer guess-guess-guess' } })).statusCode,
      401,
    );
  }
  assert.equal((await app.inject({ url: '/v1/tools', headers: right })).statusCode, 200);
  const fourth = await app.inject({ url: '/v1/tools', headers: { authorization: 'Bearer guess-guess-guess' } });
  assert.equal(fourth.statusCode, 429);
  const shutOut = await app.inject({ url: '/v1/tools', headers: right });
  assert.equal(code(shutOut), 'ERR_RATE_LIMITED');
  assert.ok(Number(shutOut.headers['retry-after']) >= 1);
  const elsewhere = await app.inject({ url: '/v1/tools', headers: right, remoteAddress: '127.0.0.9' });
  assert.equal(elsewhere.statusCode, 200);
});

test('requests are limited per address before and per principal after authentication', async (t) => {
  const { app, key } = await startTestGateway(t, {
    yaml: 'rateLimit: { addressPerMinute: 6, principalPerMinute: 2 }\n',
  });
  const one = { authorization: `Bearer ${await key()}` };
  const two = { authorization: `Bearer ${await key()}` };
  const ask = async (headers: Record<string, string>) => (await app.inject({ url: '/v1/tools', headers })).statusCode;
  assert.deepEqual([await ask(one), await ask(one), await ask(one)], [200, 200, 429]);
  assert.deepEqual([await ask(two), await ask(two)], [200, 200]);
  assert.deepEqual([await ask(two), await ask({})], [429, 429]);
  assert.equal((await app.inject({ url: '/health/live' })).statusCode, 200);
});

test('a forged X-Forwarded-For does not give a new address unless its proxy is trusted', async (t) => {
  const direct = await startTestGateway(t, { yaml: 'rateLimit: { addressPerMinute: 1 }\n' });
  const ask = async (app: typeof direct.app, address: string) =>
    (await app.inject({ url: '/v1/tools', headers: { 'x-forwarded-for': address } })).statusCode;
  assert.deepEqual([await ask(direct.app, '10.9.9.1'), await ask(direct.app, '10.9.9.2')], [401, 429]);
  const proxied = await startTestGateway(t, { yaml: 'rateLimit: { addressPerMinute: 1 }\ntrustProxy: [127.0.0.1]\n' });
  assert.deepEqual([await ask(proxied.app, '10.9.9.1'), await ask(proxied.app, '10.9.9.2')], [401, 401]);
});
