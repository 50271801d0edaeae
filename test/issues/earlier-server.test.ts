/*
 * The server goes on, knows who calls, and ends what it began.
 * D2 dead after 100 calls · D20 MCP that never spoke · D21 no authentication, open to every page · D22 limits that
 * multiply · D23 orphans · D24 memory · D26 failures shown as success · D28 health that blocks
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config.ts';
import { echoTool, missingTool, sleepTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';
import { call, SIX, startSix, textTool, until } from './earlier-gateway.ts';

/** Both real clients, connected to the running gateway, under one name for what they can do. */
async function clients(t: Parameters<typeof connectLegacy>[0], { app, key }: TestGateway) {
  const url = new URL('/mcp', await app.listen({ host: '127.0.0.1', port: 0 }));
  const { client: legacy } = await connectLegacy(t, url, { key: await key() });
  const { client: modern } = await connectModern(t, url, { key: await key() });
  type Ask = { readonly name: string; readonly arguments: Record<string, unknown> };
  const both = [
    { list: () => legacy.listTools(), call: (ask: Ask, how = {}) => legacy.callTool(ask, undefined, how) },
    { list: () => modern.listTools(), call: (ask: Ask, how = {}) => modern.callTool(ask, how) },
  ];
  return { url, both };
}

/** Command lines of this machine whose last argument is the word: the program, and what confines it and waits for it. */
function processesWith(word: string): readonly string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return line.endsWith(`\0${word}\0`) ? [line] : [];
    } catch {
      return []; // it ended meanwhile
    }
  });
}

/** The programs themselves among them. */
function programsWith(word: string): readonly string[] {
  return processesWith(word).filter((line) => line.split('\0').length === 3);
}

/** A program that would run for ever, told apart from everybody else's by its argument. */
const endless = (word: string) =>
  textTool('endless', 'sleep', { argv: () => [word], grammar: { options: {}, operands: 'integer' } });
const uniqueSeconds = () => String(100_000 + Math.floor(Math.random() * 800_000));

test('after 150 calls over REST and some over MCP every call still answers', async (t) => {
  const gateway = await startTestGateway(t, { tools: [echoTool] });
  for (let index = 0; index < 150; index += 3) {
    const three = [index, index + 1, index + 2].map((number) => call(gateway, 'echo', { word: `call${number}` }));
    for (const { status, text } of await Promise.all(three)) assert.equal(status, 200, `about call ${index}: ${text}`);
  }
  const { both } = await clients(t, gateway);
  for (const client of both) {
    for (let index = 0; index < 5; index += 1) {
      const answer = await client.call({ name: 'echo', arguments: { word: 'again' } });
      assert.notEqual(answer.isError, true, JSON.stringify(answer));
    }
  }
  for (const url of ['/v1/tools', '/v1/stats', '/metrics', '/health/ready']) {
    assert.equal((await gateway.app.inject({ url, headers: gateway.headers })).statusCode, 200, url);
  }
});

test('both real MCP clients list the six tools and call one', async (t) => {
  const { both } = await clients(t, await startSix(t));
  for (const client of both) {
    const { tools } = await client.list();
    assert.deepEqual(
      tools.map(({ name }) => name).filter((name) => !/^(run_|plan$|scope$)/.test(name)),
      SIX.map(({ name }) => name).toSorted(),
    );
    const answer = await client.call({ name: 'nmap', arguments: { targets: ['10.0.0.5'], ports: '80' } });
    assert.notEqual(answer.isError, true);
    assert.equal((answer.structuredContent as { outcome: string }).outcome, 'succeeded');
  }
});

test('a program that ends with an error, a refusal and a missing program are errors with a true status, and isError over MCP', async (t) => {
  const failing = textTool('failing', 'cat', { argv: () => ['/nonexistent/file'] });
  const gateway = await startTestGateway(t, {
    tools: [failing, missingTool, ...SIX],
    yaml: 'tools: { failing: { breakerFailures: 100 } }\n',
  });
  const { both } = await clients(t, gateway);
  const cases = [
    ['failing', {}, 502, 'ERR_TOOL_FAILED'],
    ['missing', {}, 503, 'ERR_TOOL_UNAVAILABLE'],
    ['nmap', { targets: ['8.8.8.8'] }, 403, 'ERR_TARGET_OUT_OF_SCOPE'],
    ['nmap', { targets: [] }, 400, 'ERR_INPUT_INVALID'],
    ['hydra', { host: '10.0.0.5', service: 'ssh', users: ['a'], passwords: ['b'] }, 403, 'ERR_RISK_TOO_HIGH'],
  ] as const;
  for (const [tool, input, status, code] of cases) {
    const answer = await call(gateway, tool, input);
    assert.deepEqual([answer.status, answer.code], [status, code], answer.text);
    for (const client of both) {
      const { isError, content } = await client.call({ name: tool, arguments: input });
      assert.equal(isError, true, tool);
      assert.match(JSON.stringify(content), new RegExp(code));
    }
  }
  assert.equal((await call(gateway, 'failing', {})).run?.exitCode, 1);
});

test('no page of another origin may call, read or preflight, and the default address is loopback', async (t) => {
  const { app, headers } = await startTestGateway(t, { tools: [echoTool] });
  const foreign = { ...headers, host: 'localhost:8080', origin: 'https://evil.example' };
  const asks = [
    { method: 'OPTIONS', url: '/v1/tools/echo/runs' },
    { method: 'OPTIONS', url: '/mcp' },
    { method: 'GET', url: '/v1/tools' },
    { method: 'POST', url: '/v1/tools/echo/runs', payload: { input: { word: 'a' } } },
    { method: 'POST', url: '/v1/tools/echo/disable' },
    { method: 'POST', url: '/mcp', payload: {} },
  ] as const;
  for (const ask of asks) {
    const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
    const answer = await app.inject({ ...ask, headers: { ...foreign, ...preflight } });
    assert.equal(answer.statusCode, 403, `${ask.method} ${ask.url}`);
    const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
    assert.deepEqual(cors, []);
    assert.equal((await app.inject({ ...ask, headers: { ...headers, host: 'evil.example' } })).statusCode, 403);
  }
  const environment = { SALLYPORT_HOST: '0.0.0.0' };
  assert.equal(loadConfig({ environment: {}, toolNames: ['echo'] }).config.host, '127.0.0.1');
  assert.throws(() => loadConfig({ environment, toolNames: ['echo'] }), { code: 'ERR_CONFIG_INVALID' });
});

test('a principal has one limit for all tools, unknown names and MCP together', async (t) => {
  const gateway = await startTestGateway(t, {
    tools: [echoTool, sleepTool],
    yaml: 'rateLimit: { principalPerMinute: 6 }\n',
  });
  const { app, headers } = gateway;
  const mcp = () => app.inject({ method: 'POST', url: '/mcp', headers, payload: {} });
  for (const tool of ['echo', 'sleep', 'unknown-1', 'unknown-2']) {
    assert.notEqual((await call(gateway, tool, {})).status, 429);
  }
  assert.notEqual((await mcp()).statusCode, 429);
  assert.notEqual((await mcp()).statusCode, 429);
  for (const tool of ['echo', 'sleep', 'unknown-3']) {
    const answer = await call(gateway, tool, {});
    assert.deepEqual([answer.status, answer.code], [429, 'ERR_RATE_LIMITED']);
  }
  assert.equal((await mcp()).statusCode, 429);
  const other = { app, headers: { authorization: `Bearer ${await gateway.key()}` } };
  assert.equal((await call(other, 'echo', { word: 'a' })).status, 200, 'another principal has its own');
});

test('a client that leaves takes its process with it, over REST and over MCP', async (t) => {
  const word = uniqueSeconds();
  const gateway = await startTestGateway(t, { tools: [endless(word)] });
  const { url, both } = await clients(t, gateway);
  const leave = httpRequest(new URL('/v1/tools/endless/runs', url), {
    method: 'POST',
    headers: { ...gateway.headers, 'content-type': 'application/json' },
  });
  leave.on('error', () => undefined);
  leave.end('{"input":{}}');
  await until(() => programsWith(word).length === 1);
  leave.destroy();
  await until(() => processesWith(word).length === 0 && gateway.gateway.executor.active === 0);
  for (const client of both) {
    const abort = new AbortController();
    const gone = client.call({ name: 'endless', arguments: {} }, { signal: abort.signal }).catch(() => 'gone');
    await until(() => programsWith(word).length === 1);
    abort.abort();
    assert.equal(await gone, 'gone');
    await until(() => processesWith(word).length === 0 && gateway.gateway.executor.active === 0);
  }
});

test('a gateway that ends leaves no process of a tool behind', async (t) => {
  const word = uniqueSeconds();
  const gateway = await startTestGateway(t, { tools: [endless(word)] });
  const running = [call(gateway, 'endless', {}), call(gateway, 'endless', {})];
  await until(() => programsWith(word).length === 2);
  await gateway.gateway.close();
  assert.deepEqual(processesWith(word), []);
  for (const answer of await Promise.all(running)) assert.equal(answer.code, 'ERR_SHUTTING_DOWN');
});

test('output beyond its cap is neither kept nor called a success, and the number of waiting calls is bounded', async (t) => {
  const flood = textTool('flood', 'yes', { atStdoutCap: 'kill', concurrency: 1 });
  const gateway = await startTestGateway(t, {
    tools: [flood, sleepTool],
    yaml: 'tools: { flood: { stdoutBytes: 65536 }, sleep: { concurrency: 1, maxQueued: 1 } }\n',
  });
  const { status, run } = await call(gateway, 'flood', {});
  assert.equal(status, 502);
  assert.deepEqual([run?.stdout.truncated, run?.complete, run?.outcome], [true, false, 'failed']);
  const calls = Array.from({ length: 12 }, () => call(gateway, 'sleep', { seconds: 100 }));
  await until(() => gateway.gateway.executor.active === 1);
  let busy = 0;
  for (const each of calls) void each.then(({ code }) => (busy += code === 'ERR_TOOL_BUSY' ? 1 : 0));
  await until(() => busy === 10);
  await gateway.gateway.close();
  const ends = await Promise.all(calls);
  assert.equal(ends.filter(({ code }) => code !== 'ERR_TOOL_BUSY').length, 2);
});

test('health looks without blocking, and a missing program or a failing tool does not take the gateway out', async (t) => {
  const src = join(import.meta.dirname, '../../src');
  const files = readdirSync(join(src, 'core/health')).map((name) => join(src, 'core/health', name));
  for (const file of [...files, join(src, 'gateway/health.ts')]) {
    assert.doesNotMatch(readFileSync(file, 'utf8'), /\w+Sync\(|Atomics\.wait|child_process/, file);
  }
  const { app, headers, gateway } = await startTestGateway(t, { tools: [missingTool, sleepTool] });
  await gateway.health.refresh();
  const { status } = (await app.inject({ url: '/health', headers })).json() as { status: string };
  assert.equal(status, 'healthy');
  assert.equal((await app.inject({ url: '/health' })).statusCode, 200);
  assert.equal((await app.inject({ url: '/health/ready' })).statusCode, 200);
});
