import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

/** A test gateway that listens. */
async function listening(t: TestContext, yaml: string): Promise<TestGateway> {
  const fixture = await startTestGateway(t, { yaml });
  await fixture.app.listen({ host: '127.0.0.1', port: 0 });
  return fixture;
}

/** A raw connection to a listening test gateway, and everything it answered. */
async function dial(
  fixture: TestGateway,
  text: string,
): Promise<{ socket: Socket; answer: () => string; closed: Promise<unknown> }> {
  const socket = connect((fixture.app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  const closed = once(socket, 'close');
  socket.write(text);
  return { socket, answer: () => answer, closed };
}

test('connections beyond the limit are dropped, and those that have a place are served', async (t) => {
  const fixture = await listening(t, 'maxConnections: 4\n');
  const idle = await Promise.all(Array.from({ length: 12 }, () => dial(fixture, '')));
  const dropped = new Set<Socket>();
  for (const { socket, closed } of idle) void closed.then(() => dropped.add(socket));
  while (dropped.size < 8) await delay(10);
  assert.equal((await fixture.app.inject({ url: '/health/live' })).statusCode, 200);
  for (const { socket } of idle) socket.destroy();
});

test('a client that drips its body is closed, with and without a key', async (t) => {
  const fixture = await listening(t, 'requestTimeoutMs: 1000\n');
  const { authorization } = fixture.headers;
  const head =
    'POST /v1/tools/echo/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n';
  const dripping = await Promise.all([
    dial(fixture, `${head}Authorization: ${authorization}\r\n\r\n{`),
    dial(fixture, `${head}\r\n{`),
    dial(fixture, 'GET /health/live HTTP/1.1\r\nHost: '),
  ]);
  await Promise.all(dripping.map(({ closed }) => closed));
});

test('what is no HTTP request gets our error body and its true status', async (t) => {
  const fixture = await listening(t, '{}\n');
  for (const [text, status] of [
    ['NONSENSE\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const { answer, closed } = await dial(fixture, text);
    await closed;
    assert.match(answer(), new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(answer(), /"code":"ERR_INPUT_INVALID"/);
  }
});

test('two Host headers or a foreign absolute target are refused: somebody before us may have judged the other', async (t) => {
  const fixture = await listening(t, '{}\n');
  const end = `Authorization: ${fixture.headers.authorization}\r\nConnection: close\r\n\r\n`;
  for (const request of [
    `GET /v1/tools HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n${end}`,
    `GET http://evil.example/v1/tools HTTP/1.1\r\nHost: localhost\r\n${end}`,
  ]) {
    const { answer, closed } = await dial(fixture, request);
    await closed;
    assert.match(answer(), /^HTTP\/1.1 40[03] /);
    assert.doesNotMatch(answer(), /"tools":/);
  }
});

test('a foreign page with images cannot shut its reader out, and a link to a page of ours still opens', async (t) => {
  const { app, headers } = await startTestGateway(t, {
    yaml: 'rateLimit: { authFailuresPerMinute: 2, addressPerMinute: 20 }\n',
  });
  const image = { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
  for (let each = 0; each < 40; each += 1) {
    assert.equal((await app.inject({ url: '/v1/tools', headers: image })).statusCode, 403);
  }
  for (let each = 0; each < 5; each += 1) assert.equal((await app.inject({ url: '/v1/tools' })).statusCode, 401);
  assert.equal((await app.inject({ url: '/v1/tools', headers })).statusCode, 200);
  const link = await app.inject({
    url: '/docs/',
    headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  });
  assert.equal(link.statusCode, 401, 'it asks for the key');
});

test('HEAD opens no event stream', async (t) => {
  const { app, headers } = await startTestGateway(t);
  assert.equal((await app.inject({ method: 'HEAD', url: '/v1/events', headers })).statusCode, 405);
});
