import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { countTool } from '../fixtures/count-tool.ts';
import { echoTool, sleepTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

const tools = [echoTool, sleepTool, countTool];
/** What a busy machine does to the event loop is not what is tested here. */
const yaml = 'health: { maxEventLoopLagMs: 10000 }\n';

async function begin({ app, headers }: TestGateway, tool: string, input: object): Promise<string> {
  const asked = { method: 'POST' as const, url: `/v1/tools/${tool}/runs`, payload: { input } };
  const response = await app.inject({ ...asked, headers: { ...headers, prefer: 'respond-async' } });
  assert.equal(response.statusCode, 202, response.body);
  return (response.json() as Run).runId;
}

/** What can be read again: every event with an id, in order. */
function kept(body: string): string[] {
  return body.split('\n\n').filter((frame) => frame.startsWith('id: '));
}

const idOf = (frame: string) => /^id: (\S+)/.exec(frame)?.[1] ?? '';

/** One reader over a real connection. */
async function follow({ app, headers }: TestGateway, runId: string, lastEventId?: string) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const more = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const call = httpRequest({ port, path: `/v1/runs/${runId}/events`, headers: { ...headers, ...more } });
  call.on('error', () => undefined);
  call.end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  const reader = {
    text: '',
    response,
    ended: new Promise((resolve) => response.once('close', resolve)),
    close: () => call.destroy(),
    saw: async (what: string) => {
      while (!reader.text.includes(what)) await once(response, 'data');
    },
  };
  response.setEncoding('utf8').on('data', (chunk: string) => {
    reader.text += chunk;
  });
  return reader;
}

test('a run is told to its end, and resuming after any event tells exactly the rest', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, headers } = fixture;
  const runId = await begin(fixture, 'count', { last: 40 });
  const url = `/v1/runs/${runId}/events`;
  const whole = await app.inject({ url, headers });
  assert.equal(whole.statusCode, 200);
  const frames = kept(whole.body);
  assert.equal(frames.filter((frame) => frame.includes('\nevent: finding\n')).length, 40);
  assert.match(frames.at(-1) ?? '', /event: state\n.*"state":"succeeded"/);
  assert.equal(new Set(frames.map(idOf)).size, frames.length, 'every id is there once');
  for (const [index, frame] of frames.entries()) {
    const rest = await app.inject({ url, headers: { ...headers, 'last-event-id': idOf(frame) } });
    assert.deepEqual(kept(rest.body), frames.slice(index + 1));
  }
});

test('a reader whose connection broke goes on where it was, while the run goes on', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, headers } = fixture;
  const runId = await begin(fixture, 'sleep', { seconds: 100 });
  const first = await follow(fixture, runId);
  await first.saw('"state":"running"');
  first.close();
  const before = kept(first.text);
  const second = await follow(fixture, runId, idOf(before.at(-1) ?? ''));
  await app.inject({ method: 'POST', url: `/v1/runs/${runId}/cancel`, headers });
  await second.ended;
  const whole = await app.inject({ url: `/v1/runs/${runId}/events`, headers });
  assert.deepEqual([...before, ...kept(second.text)], kept(whole.body));
  assert.match(second.text, /"state":"cancelled"/);
  assert.equal(second.response.complete, true);
});

test('a stream has the headers of every answer, counts in the metrics, and ends when the server closes', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, headers } = fixture;
  const runId = await begin(fixture, 'sleep', { seconds: 100 });
  const reader = await follow(fixture, runId);
  assert.match(String(reader.response.headers['content-security-policy']), /default-src 'none'/);
  assert.equal(reader.response.headers['cache-control'], 'no-store');
  assert.ok(reader.response.headers['x-request-id']);
  const metrics = (await app.inject({ url: '/metrics', headers })).body;
  assert.match(metrics, /^sallyport_run_event_streams 1$/m);
  await reader.saw('"state":"running"');
  await app.close();
  await reader.ended;
  assert.doesNotMatch(reader.text, /"state":"(cancelled|succeeded)"/, 'closing the door says nothing about the run');
});

test('the OpenAPI document has every route of runs with what it asks and answers', async (t) => {
  const { app, headers } = await startTestGateway(t, { tools, yaml });
  const { paths } = (await app.inject({ url: '/openapi.json', headers })).json() as {
    paths: Record<
      string,
      Record<string, { tags: string[]; summary: string; responses: Record<string, { content?: object }> }>
    >;
  };
  const routes = [
    ['/v1/runs', 'get', 200],
    ['/v1/runs/{id}', 'get', 200],
    ['/v1/runs/{id}/result', 'get', 200],
    ['/v1/runs/{id}/output', 'get', 200],
    ['/v1/runs/{id}/findings', 'get', 200],
    ['/v1/runs/{id}/cancel', 'post', 200],
    ['/v1/runs/{id}', 'delete', 204],
    ['/v1/findings', 'get', 200],
    ['/v1/diff', 'get', 200],
    ['/v1/tools/echo/runs', 'post', 202],
  ] as const;
  for (const [path, method, status] of routes) {
    const route = paths[path]?.[method];
    assert.ok(route?.tags.length === 1 && route.summary.length > 0, `${method} ${path}`);
    assert.ok(route.responses[status], `${method} ${path} ${status}`);
    assert.ok(route.responses['default']?.content, `${method} ${path} says how it fails`);
  }
});
