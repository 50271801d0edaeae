/*
 * What holds against requests that no honest client sends: other spellings of a path, framing that two readers read
 * differently, and long texts in every property of every tool.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { call, SIX, startSix } from './earlier-gateway.ts';

/** Sends the bytes as they are and reads until the other side has said everything or closed. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(request));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

async function listen({ app }: Awaited<ReturnType<typeof startSix>>): Promise<number> {
  return Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
}

test('no spelling of a path gets around its access rule', async (t) => {
  const port = await listen(await startSix(t));
  const spellings = '/v1/tools //v1/tools /v1//tools /v1/tools/ /v1/%74ools /v1/./tools /v1/x/../tools /v1/tools;a=1'
    .concat(' /v1/tools%2f /V1/TOOLS /docs/../v1/tools /docs/%2e%2e/v1/tools /health/live/../../v1/tools')
    .concat(' /health/live/..%2f..%2fv1/tools /docs/static/..%2f..%2fpackage.json http://127.0.0.1/v1/tools *')
    .split(' ');
  for (const path of spellings) {
    const answer = await exchange(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 40[01345] /, `${path}: ${answer.slice(0, 80)}`);
  }
});

test('framing and headers that two readers may read differently are refused, and nothing behind them is served', async (t) => {
  const gateway = await startSix(t);
  const port = await listen(gateway);
  const key = `Authorization: ${gateway.headers.authorization}\r\n`;
  const head = `POST /v1/tools/dig/runs HTTP/1.1\r\nHost: 127.0.0.1\r\n${key}Content-Type: application/json\r\n`;
  const smuggled = `GET /v1/tools HTTP/1.1\r\nHost: 127.0.0.1\r\n${key}\r\n`;
  const get = 'GET /v1/tools HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n';
  const requests: Readonly<Record<string, string>> = {
    'both lengths': `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'two lengths': `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n${smuggled}`,
    'an unknown coding': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    'a signed length': `${head}Content-Length: +2\r\n\r\n{}${smuggled}`,
    'a folded header': `${get}X: a\r\n ${key}\r\n`,
    'bare line feeds': `${get}${key}\r\n`.replaceAll('\r\n', '\n'),
    'a space before the colon': `${get}${key.replace(':', ' :')}\r\n`,
    'two keys': `${get}${key}${key}\r\n`,
    'a foreign host first': `GET /v1/tools HTTP/1.1\r\nHost: evil.test\r\nHost: 127.0.0.1\r\n${key}\r\n`,
  };
  for (const [what, request] of Object.entries(requests)) {
    const answer = await exchange(port, request);
    assert.doesNotMatch(answer, /HTTP\/1\.1 2\d\d /, `${what}: ${answer.slice(0, 80)}`);
  }
  assert.match(await exchange(port, `${get}${key}\r\n`), /^HTTP\/1\.1 200 /, 'the same without the trick is served');
});

test('a long text in any property of any tool is the caller’s mistake: no crash, no start, and the next call is served', async (t) => {
  const gateway = await startSix(t);
  const fills = ['a', '.', '1,', '1-', 'a.', '%', '/a', ':', '[', 'top100', 'a%2', ' ', '\u0090'];
  for (const { name, examples, input } of SIX) {
    const honest = examples[0]?.input ?? {};
    for (const property of Object.keys(input.properties)) {
      for (const fill of fills) {
        const text = fill.repeat(60_000 / Buffer.byteLength(fill));
        for (const value of [text, [text]]) {
          const answer = await call(gateway, name, { ...honest, [property]: value });
          assert.equal(
            answer.code,
            'ERR_INPUT_INVALID',
            `${name}.${property} of ${JSON.stringify(fill)}: ${answer.text}`,
          );
        }
      }
    }
    assert.equal((await call(gateway, name, { ...honest, nothing: 1 })).status, 400);
  }
  assert.equal((await gateway.app.inject({ url: '/health/live' })).statusCode, 200);
});
