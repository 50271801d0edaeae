import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunResult } from '../../schemas/run.ts';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

interface Post {
  readonly input: object;
  readonly run?: object;
  readonly as?: { readonly authorization: string };
}

const post = ({ app, headers }: TestGateway, tool: string, { as = headers, ...payload }: Post) =>
  app.inject({ method: 'POST', url: `/v1/tools/${tool}/runs`, headers: { ...as }, payload });
const codeOf = (response: { json: () => unknown }) => (response.json() as { code: string }).code;

/** Waits until the condition holds; the test's own time limit is the bound. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

test('a call runs the real program and answers with the whole run', async (t) => {
  const fixture = await startTestGateway(t);
  const response = await post(fixture, 'echo', { input: { word: 'hello' } });
  assert.equal(response.statusCode, 200, response.body);
  const run = response.json() as RunResult;
  assert.equal(run.outcome, 'succeeded');
  assert.deepEqual(run.result, { text: 'hello\n' });
  assert.equal(run.exitCode, 0);
  assert.ok(run.layers.includes('L0'));
});

test('a client that leaves ends the process and frees its place', async (t) => {
  const fixture = await startTestGateway(t);
  const { app, gateway, headers } = fixture;
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const call = httpRequest({
    port,
    method: 'POST',
    path: '/v1/tools/sleep/runs',
    headers: { ...headers, 'content-type': 'application/json' },
  });
  call.on('error', () => undefined);
  call.end(JSON.stringify({ input: { seconds: 100 } }));
  await until(() => gateway.executor.active === 1);
  call.destroy();
  await until(() => gateway.executor.active === 0);
  await until(async () => {
    const state = (await app.inject({ url: '/v1/tools/sleep', headers })).json() as { active: number };
    return state.active === 0;
  });
  await until(async () => {
    const stats = (await app.inject({ url: '/v1/stats', headers })).json() as {
      tools: { tool: string; counts: Record<string, number> }[];
    };
    return stats.tools.find((entry) => entry.tool === 'sleep')?.counts['cancelled'] === 1;
  });
  assert.equal((await post(fixture, 'sleep', { input: { seconds: 0 } })).statusCode, 200);
});

test('a run that is too slow is a 504 with its partial result, never a success', async (t) => {
  const fixture = await startTestGateway(t);
  const response = await post(fixture, 'sleep', { input: { seconds: 100 }, run: { timeoutMs: 1000 } });
  assert.equal(response.statusCode, 504);
  assert.equal(codeOf(response), 'ERR_TOOL_TIMEOUT');
  const { details } = response.json() as { details: { run: RunResult } };
  assert.equal(details.run.outcome, 'timed_out');
  assert.equal(details.run.complete, false);
});

test('a full queue is an honest 503 that says when to come back, and a waiting client that leaves gives its place up', async (t) => {
  const fixture = await startTestGateway(t, { yaml: 'tools: { sleep: { concurrency: 1, maxQueued: 1 } }\n' });
  const { app, gateway, headers } = fixture;
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const start = () => {
    const call = httpRequest({
      port,
      method: 'POST',
      path: '/v1/tools/sleep/runs',
      headers: { ...headers, 'content-type': 'application/json' },
    });
    call.on('error', () => undefined);
    call.end(JSON.stringify({ input: { seconds: 100 } }));
    return call;
  };
  const state = async () =>
    (await app.inject({ url: '/v1/tools/sleep', headers })).json() as { active: number; queued: number };
  const running = start();
  await until(async () => (await state()).active === 1);
  const waiting = start();
  await until(async () => (await state()).queued === 1);
  const refused = await post(fixture, 'sleep', { input: { seconds: 0 } });
  assert.equal(refused.statusCode, 503);
  assert.equal(codeOf(refused), 'ERR_TOOL_BUSY');
  assert.ok(Number(refused.headers['retry-after']) >= 1);
  assert.equal((await post(fixture, 'echo', { input: { word: 'other' } })).statusCode, 200, 'other tools go on');
  waiting.destroy();
  await until(async () => (await state()).queued === 0);
  running.destroy();
  await until(() => gateway.executor.active === 0);
});

test('repeated failures of a tool open its circuit, a client’s mistakes never do', async (t) => {
  const fixture = await startTestGateway(t, { yaml: 'tools: { sleep: { breakerFailures: 2, timeoutMs: 1000 } }\n' });
  for (let mistake = 0; mistake < 5; mistake += 1) {
    assert.equal((await post(fixture, 'sleep', { input: { seconds: -1 } })).statusCode, 400);
  }
  for (let failure = 0; failure < 2; failure += 1) {
    assert.equal((await post(fixture, 'sleep', { input: { seconds: 100 } })).statusCode, 504);
  }
  const open = await post(fixture, 'sleep', { input: { seconds: 0 } });
  assert.equal(open.statusCode, 503);
  assert.equal(codeOf(open), 'ERR_TOOL_CIRCUIT_OPEN');
  const detail = (await fixture.app.inject({ url: '/v1/tools/sleep', headers: fixture.headers })).json() as {
    breaker: { state: string };
  };
  assert.equal(detail.breaker.state, 'open');
  const metrics = (await fixture.app.inject({ url: '/metrics', headers: fixture.headers })).body;
  assert.match(metrics, /sallyport_breaker_state\{tool="sleep"\} 2/);
});

test('a tool can be disabled and enabled, and a scope decides by whom', async (t) => {
  const fixture = await startTestGateway(t);
  const agent = { authorization: `Bearer ${await fixture.key(['tools:read', 'runs:execute'])}` };
  const admin = { authorization: `Bearer ${await fixture.key(['admin:tools'])}` };
  const switchTool = (verb: string, headers: object) =>
    fixture.app.inject({ method: 'POST', url: `/v1/tools/echo/${verb}`, headers: { ...headers } });
  assert.equal((await switchTool('disable', agent)).statusCode, 403);
  assert.equal((await switchTool('disable', admin)).statusCode, 200);
  const refused = await post(fixture, 'echo', { input: { word: 'x' }, as: agent });
  assert.equal(refused.statusCode, 403);
  assert.equal(codeOf(refused), 'ERR_TOOL_DISABLED');
  await switchTool('enable', admin);
  assert.equal((await post(fixture, 'echo', { input: { word: 'x' }, as: agent })).statusCode, 200);
});

test('a found secret is a reference in the result, and only its owner with secrets:read reads it', async (t) => {
  const fixture = await startTestGateway(t);
  const owner = { authorization: `Bearer ${await fixture.key(['runs:execute', 'secrets:read'])}` };
  const other = { authorization: `Bearer ${await fixture.key(['runs:execute', 'secrets:read'])}` };
  const run = await post(fixture, 'echo', {
    input: { word: 'correct-horse-battery'.replaceAll('-', '_'), keep: true },
    as: owner,
  });
  const { secretRef } = (run.json() as { result: { secretRef: string } }).result;
  const read = (headers: object, id = secretRef) =>
    fixture.app.inject({ url: `/v1/secrets/${id}`, headers: { ...headers } });
  assert.equal(((await read(owner)).json() as { value: string }).value, 'correct_horse_battery');
  const foreign = await read(other);
  const unknown = await read(other, 'secret_nosuchsecret0000');
  assert.equal(foreign.statusCode, 404);
  assert.deepEqual({ ...(foreign.json() as object), requestId: '' }, { ...(unknown.json() as object), requestId: '' });
  assert.equal((await read({ authorization: `Bearer ${await fixture.key(['runs:execute'])}` })).statusCode, 403);
});

test('shutting down ends what runs and refuses what comes', async (t) => {
  const fixture = await startTestGateway(t);
  const running = post(fixture, 'sleep', { input: { seconds: 100 } });
  await until(() => fixture.gateway.executor.active === 1);
  await fixture.gateway.close();
  assert.equal(fixture.gateway.executor.active, 0);
  assert.equal(codeOf(await running), 'ERR_SHUTTING_DOWN');
  assert.equal(codeOf(await post(fixture, 'echo', { input: { word: 'late' } })), 'ERR_SHUTTING_DOWN');
});

test('the event stream tells tool changes, comes back with Last-Event-ID, and its number is limited', async (t) => {
  const { app, headers } = await startTestGateway(t, { yaml: 'eventStreams: 1\n' });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const open = async (extra: object = {}) => {
    const call = httpRequest({ port, path: '/v1/events', headers: { ...headers, ...extra } });
    call.end();
    const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    response.on('error', () => undefined);
    return { response, text: () => text, close: () => call.destroy() };
  };
  const first = await open();
  assert.equal(first.response.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.match(String(first.response.headers['content-security-policy']), /default-src 'none'/);
  assert.equal((await app.inject({ url: '/v1/events', headers })).statusCode, 503);
  await app.inject({ method: 'POST', url: '/v1/tools/echo/disable', headers });
  await until(() => first.text().includes('event: tool'));
  assert.match(first.text(), /"tool":"echo","enabled":false/);
  const id = Number(/id: (\d+)\nevent: tool/.exec(first.text())?.[1]);
  first.close();
  await until(async () => (await app.inject({ url: '/metrics', headers })).body.includes('sallyport_event_streams 0'));
  const again = await open({ 'last-event-id': String(id - 1) });
  await until(() => again.text().includes(`id: ${id}\n`));
  again.close();
  assert.equal(
    (await app.inject({ url: '/v1/events', headers: { ...headers, 'last-event-id': 'x' } })).statusCode,
    400,
  );
});
