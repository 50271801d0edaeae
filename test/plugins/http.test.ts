import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestGateway } from '../fixtures/gateway.ts';

const code = (response: { json: () => unknown }) => (response.json() as { code: string }).code;

test('a page of another name that resolved itself to us is refused (DNS rebinding)', async (t) => {
  const { app, headers } = await startTestGateway(t, { yaml: 'allowedHosts: [gate.example]\n' });
  const ask = (host: string) => app.inject({ url: '/v1/tools', headers: { ...headers, host } });
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.example:8080',
    '@localhost',
    'a b',
  ]) {
    const response = await ask(host);
    assert.equal(response.statusCode, 403, host);
    assert.equal(code(response), 'ERR_HOST_FORBIDDEN');
  }
  for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1:1', '[::1]:8080', 'gate.example:443']) {
    assert.equal((await ask(host)).statusCode, 200, host);
  }
});

test('a foreign origin is refused on every method, our own and listed ones are not', async (t) => {
  const { app, headers } = await startTestGateway(t, { yaml: 'allowedOrigins: ["https://console.example"]\n' });
  const ask = async (origin: string, method: 'GET' | 'POST' = 'GET') =>
    (
      await app.inject({
        method,
        url: method === 'GET' ? '/v1/tools' : '/mcp',
        headers: { ...headers, host: 'localhost:8080', origin },
      })
    ).statusCode;
  for (const origin of [
    'https://evil.example',
    'null',
    'http://localhost:9999',
    'https://console.example.evil',
    'http://console.example',
  ]) {
    assert.equal(await ask(origin), 403, origin);
    assert.equal(await ask(origin, 'POST'), 403, origin);
  }
  assert.equal(await ask('https://console.example'), 200);
  assert.equal(await ask('http://localhost:8080'), 200);
});

test('no answer allows another origin to read it', async (t) => {
  const { app, headers } = await startTestGateway(t);
  const response = await app.inject({ url: '/v1/tools', headers });
  assert.equal(response.headers['access-control-allow-origin'], undefined);
});

test('orchestrator probes come by address and need no Host of ours and no key', async (t) => {
  const { app } = await startTestGateway(t);
  for (const url of ['/health/live', '/health/ready']) {
    const response = await app.inject({ url, headers: { host: '10.1.2.3:8080' } });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(Object.keys(response.json() as object), ['status']);
  }
});

test('everything a browser can open carries a policy that loads nothing foreign and cannot be framed', async (t) => {
  const { app, headers } = await startTestGateway(t);
  for (const url of ['/docs/', '/openapi.json', '/health', '/v1/tools', '/metrics', '/nowhere']) {
    const response = await app.inject({ url, headers });
    const policy = String(response.headers['content-security-policy']);
    assert.match(policy, /default-src 'none'/, url);
    assert.match(policy, /frame-ancestors 'none'/, url);
    assert.doesNotMatch(policy, /script-src[^;]*unsafe|https?:/, url);
    assert.equal(response.headers['x-content-type-options'], 'nosniff', url);
    assert.equal(
      response.headers['cache-control'],
      url.startsWith('/docs') ? response.headers['cache-control'] : 'no-store',
      url,
    );
  }
});

test('every failure has the one body with a stable code and the true status', async (t) => {
  const { app, headers } = await startTestGateway(t, { yaml: 'bodyLimitBytes: 2000\n' });
  const json = { ...headers, 'content-type': 'application/json' };
  const runs = { method: 'POST', url: '/v1/tools/echo/runs' } as const;
  const cases = [
    [404, 'ERR_ROUTE_UNKNOWN', { url: '/nope', headers }],
    [405, 'ERR_METHOD_UNSUPPORTED', { method: 'DELETE', url: '/v1/tools', headers }],
    [404, 'ERR_TOOL_UNKNOWN', { url: '/v1/tools/nope', headers }],
    [404, 'ERR_TOOL_UNKNOWN', { method: 'POST', url: '/v1/tools/nope/runs', headers: json, payload: '{"input":{}}' }],
    [400, 'ERR_INPUT_INVALID', { ...runs, headers: json, payload: '{"input":' }],
    [400, 'ERR_INPUT_INVALID', { ...runs, headers: json, payload: '{"input":{},"extra":1}' }],
    [400, 'ERR_INPUT_INVALID', { ...runs, headers: json, payload: '{"input":{"word":5}}' }],
    [400, 'ERR_INPUT_INVALID', { ...runs, headers: json, payload: '{"__proto__":{"a":1},"input":{"word":"a"}}' }],
    [
      400,
      'ERR_INPUT_INVALID',
      { ...runs, headers: json, payload: '{"input":{"word":"a"},"run":{"timeoutMs":"2000"}}' },
    ],
    [
      413,
      'ERR_BODY_TOO_LARGE',
      { ...runs, headers: json, payload: JSON.stringify({ input: { word: 'a'.repeat(3000) } }) },
    ],
    [
      415,
      'ERR_MEDIA_TYPE_UNSUPPORTED',
      { ...runs, headers: { ...headers, 'content-type': 'text/plain' }, payload: 'x' },
    ],
    [
      503,
      'ERR_TOOL_UNAVAILABLE',
      { method: 'POST', url: '/v1/tools/missing/runs', headers: json, payload: '{"input":{}}' },
    ],
  ] as const;
  for (const [status, expected, request] of cases) {
    const response = await app.inject(request);
    const body = response.json() as Record<string, unknown>;
    assert.equal(body['code'], expected, response.body);
    assert.equal(response.statusCode, status, response.body);
    assert.equal(body['requestId'], response.headers['x-request-id']);
    assert.deepEqual(
      Object.keys(body).filter((key) => !['code', 'message', 'requestId', 'details', 'retryAfterMs'].includes(key)),
      [],
    );
  }
});

test('a request id of a caller is not taken over', async (t) => {
  const { app, headers } = await startTestGateway(t);
  const response = await app.inject({
    url: '/v1/tools',
    headers: { ...headers, 'x-request-id': 'mine', 'request-id': 'mine' },
  });
  assert.notEqual(response.headers['x-request-id'], 'mine');
});

test('the documentation names every tool with its own body, and loads from here only', async (t) => {
  const { app, headers } = await startTestGateway(t);
  const document = (await app.inject({ url: '/openapi.json', headers })).json() as {
    openapi: string;
    paths: Record<string, unknown>;
  };
  assert.equal(document.openapi, '3.1.0');
  const echo = JSON.stringify(document.paths['/v1/tools/echo/runs']);
  assert.match(echo, /"word"/);
  assert.match(echo, /"timeoutMs"/);
  const page = await app.inject({ url: '/docs/', headers });
  assert.equal(page.statusCode, 200);
  assert.doesNotMatch(page.body, /(src|href)="https?:/);
  assert.doesNotMatch(
    page.body,
    /<script>(?!\s*<\/script>)[^<]+/,
    'an inline script would be stopped by our own policy',
  );
});
