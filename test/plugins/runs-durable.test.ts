import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { TSchema } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { type Diff, DiffSchema, FindingPageSchema } from '../../schemas/finding.ts';
import { AnyRunResultSchema } from '../../schemas/run.ts';
import { OutputPageSchema, type Run, RunPageSchema, RunSchema } from '../../schemas/run-record.ts';
import { countTool } from '../fixtures/count-tool.ts';
import { echoTool, sleepTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';

const tools = [echoTool, sleepTool, countTool];
/** What a busy machine does to the event loop is not what is tested here. */
const yaml = 'health: { maxEventLoopLagMs: 10000 }\n';
const codeOf = (response: { json: () => unknown }) => (response.json() as { code: string }).code;

interface Post {
  readonly tool?: string;
  readonly input?: object;
  readonly headers?: object;
}

const post = ({ app, headers }: TestGateway, { tool = 'echo', input = { word: 'x' }, headers: more = {} }: Post = {}) =>
  app.inject({ method: 'POST', url: `/v1/tools/${tool}/runs`, headers: { ...headers, ...more }, payload: { input } });

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

/** Starts one run of a tool without waiting and returns its id. */
async function begin(fixture: TestGateway, from: Post): Promise<string> {
  const response = await post(fixture, { ...from, headers: { prefer: 'respond-async', ...from.headers } });
  assert.equal(response.statusCode, 202, response.body);
  return (response.json() as Run).runId;
}

async function stateOf({ app, headers }: TestGateway, runId: string): Promise<string> {
  return ((await app.inject({ url: `/v1/runs/${runId}`, headers })).json() as Run).state;
}

/** A call over a real connection that can be broken off. */
async function dial(fixture: TestGateway, prefer: string) {
  const { app, headers } = fixture;
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const call = httpRequest({
    port,
    method: 'POST',
    path: '/v1/tools/sleep/runs',
    headers: { ...headers, prefer, 'content-type': 'application/json' },
  });
  call.on('error', () => undefined);
  call.end(JSON.stringify({ input: { seconds: 100 } }));
  return call;
}

test('a client that leaves before 202 cancels its run, one that was told its id does not', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, gateway, headers } = fixture;
  const impatient = await dial(fixture, 'wait=60');
  await until(() => gateway.executor.active === 1);
  impatient.destroy();
  await until(() => gateway.executor.active === 0);
  const list = async () => ((await app.inject({ url: '/v1/runs', headers })).json() as { runs: Run[] }).runs;
  await until(async () => (await list())[0]?.state === 'cancelled');

  const told = await dial(fixture, 'respond-async');
  const [response] = (await once(told, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 202);
  const location = String(response.headers.location);
  told.destroy();
  await once(response, 'close');
  await until(() => gateway.executor.active === 1);
  const runId = location.replace('/v1/runs/', '');
  assert.equal(await stateOf(fixture, runId), 'running');
  const unfinished = await app.inject({ url: `${location}/result`, headers });
  assert.deepEqual([unfinished.statusCode, codeOf(unfinished)], [409, 'ERR_RUN_UNFINISHED']);
  assert.equal(codeOf(await app.inject({ method: 'DELETE', url: location, headers })), 'ERR_RUN_UNFINISHED');
  const cancelled = await app.inject({ method: 'POST', url: `${location}/cancel`, headers });
  assert.equal((cancelled.json() as Run).state, 'cancelled');
  assert.equal(gateway.executor.active, 0);
});

test('every answer of a real run fits its schema, with nothing more and nothing less', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, headers } = fixture;
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const check = async (url: string, schema: TSchema) => {
    const response = await app.inject({ url, headers });
    assert.equal(response.statusCode, 200, `${url}: ${response.body}`);
    const validate = ajv.compile(schema);
    assert.ok(validate(response.json()), `${url}: ${JSON.stringify(validate.errors)}`);
    return response.json() as unknown;
  };
  const ids = [];
  for (const last of [3, 5]) {
    const run = await post(fixture, { tool: 'count', input: { last } });
    assert.equal(run.statusCode, 200, run.body);
    ids.push((run.json() as { runId: string }).runId);
    assert.deepEqual(await check(`/v1/runs/${ids.at(-1)}/result`, AnyRunResultSchema), run.json());
  }
  const [from = '', to = ''] = ids;
  const going = await begin(fixture, { tool: 'sleep', input: { seconds: 100 } });
  for (const id of [from, to, going]) await check(`/v1/runs/${id}`, RunSchema);
  await check('/v1/runs', RunPageSchema);
  for (const query of ['', '?stream=stderr', '?offset=2&limit=1'])
    await check(`/v1/runs/${to}/output${query}`, OutputPageSchema);
  await check(`/v1/runs/${to}/findings`, FindingPageSchema);
  await check('/v1/findings?limit=2', FindingPageSchema);
  const diff = (await check(`/v1/diff?from=${from}&to=${to}&unchanged=true`, DiffSchema)) as Diff;
  assert.deepEqual([diff.counts.new, diff.counts.unchanged], [2, 3]);
});

test('an id that is unknown, foreign, removed or malformed has one answer on every route', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app } = fixture;
  const own = (await post(fixture)).json() as { runId: string };
  const gone = (await post(fixture)).json() as { runId: string };
  await app.inject({ method: 'DELETE', url: `/v1/runs/${gone.runId}`, headers: fixture.headers });
  const scopes = ['runs:read', 'runs:execute', 'runs:cancel', 'findings:read'] as const;
  const stranger = { authorization: `Bearer ${await fixture.key(scopes)}` };
  const routes = (id: string) =>
    [
      ['GET', `/v1/runs/${id}`],
      ['HEAD', `/v1/runs/${id}`],
      ...['result', 'events', 'output', 'findings', 'export?format=json'].map((part) => [
        'GET',
        `/v1/runs/${id}/${part}`,
      ]),
      ['POST', `/v1/runs/${id}/cancel`],
      ['DELETE', `/v1/runs/${id}`],
      ['GET', `/v1/diff?from=${id}&to=${id}`],
    ] as ['GET', string][];
  const seen = async (id: string) => {
    const answers = [];
    for (const [method, url] of routes(id)) {
      const response = await app.inject({ method, url, headers: { ...stranger, 'last-event-id': `${id}:1` } });
      const { date: _, 'x-request-id': requestId, ...same } = response.headers;
      answers.push([method, response.statusCode, same, response.body.replaceAll(String(requestId), '')]);
    }
    return answers;
  };
  const unknown = await seen('00000000-0000-4000-8000-000000000000');
  assert.deepEqual([...new Set(unknown.map(([, status]) => status))], [404]);
  for (const id of [own.runId, gone.runId, 'no~id']) assert.deepEqual(await seen(id), unknown);
  const kept = await app.inject({ url: `/v1/runs/${own.runId}`, headers: fixture.headers });
  assert.equal(kept.statusCode, 200, 'the stranger’s DELETE did nothing');
});

test('cursors and event ids are refused for every reader and list but their own', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const { app, headers } = fixture;
  const ids = [];
  for (const last of [3, 4]) {
    ids.push(((await post(fixture, { tool: 'count', input: { last } })).json() as { runId: string }).runId);
  }
  const other = { authorization: `Bearer ${await fixture.key()}` };
  const [first, second] = ids;
  const lists = ['/v1/runs?limit=1', '/v1/findings?limit=1', `/v1/runs/${first}/findings?limit=1`];
  for (const list of lists) {
    const page = (await app.inject({ url: list, headers })).json() as { nextCursor?: string };
    const cursor = encodeURIComponent(page.nextCursor ?? assert.fail(`${list} has one page`));
    const at = (url: string, as: object = headers) =>
      app.inject({ url: `${url}&cursor=${cursor}`, headers: { ...as } });
    assert.equal((await at(list)).statusCode, 200);
    const wrong = [
      await at(list, other),
      await at('/v1/runs?limit=1&tool=echo'),
      await at(`/v1/diff?from=${first}&to=${second}`),
    ];
    for (const response of wrong) assert.deepEqual([response.statusCode, codeOf(response)], [400, 'ERR_INPUT_INVALID']);
  }
  for (const id of [`${second}:1`, '1', `${first}:-1`, `${first}:x`]) {
    const resumed = { ...headers, 'last-event-id': id };
    const response = await app.inject({ url: `/v1/runs/${first}/events`, headers: resumed });
    assert.deepEqual([response.statusCode, codeOf(response)], [400, 'ERR_INPUT_INVALID'], id);
  }
});

test('an idempotency key is its owner’s name for one run, also after the run was lost sight of', async (t) => {
  const fixture = await startTestGateway(t, { tools, yaml });
  const other = { authorization: `Bearer ${await fixture.key()}` };
  const named = { 'idempotency-key': '"k-1"' };
  const first = await post(fixture, { headers: named });
  const again = await post(fixture, { headers: named });
  assert.equal(first.headers['idempotency-replayed'], undefined);
  assert.deepEqual([again.statusCode, again.headers['idempotency-replayed']], [200, 'true']);
  assert.deepEqual(again.json(), first.json());
  for (const changed of [{ input: { word: 'y' } }, { tool: 'sleep', input: { seconds: 0 } }]) {
    const conflict = await post(fixture, { ...changed, headers: named });
    assert.deepEqual([conflict.statusCode, codeOf(conflict)], [409, 'ERR_IDEMPOTENCY_CONFLICT']);
    assert.ok(!conflict.body.includes((first.json() as { runId: string }).runId));
  }
  const foreign = await post(fixture, { headers: { ...named, ...other } });
  assert.equal(foreign.headers['idempotency-replayed'], undefined);
  const slow = { tool: 'sleep', input: { seconds: 100 }, headers: { 'idempotency-key': 'k-2' } };
  const runId = await begin(fixture, slow);
  assert.equal(await begin(fixture, slow), runId, 'a run that goes on is the same run');
  const together = await Promise.all(
    Array.from({ length: 8 }, () => post(fixture, { headers: { 'idempotency-key': 'k-3' } })),
  );
  assert.deepEqual([...new Set(together.map(({ statusCode }) => statusCode))], [200]);
  const started = new Set(together.map((response) => (response.json() as { runId: string }).runId));
  assert.equal(started.size, 1, 'eight at once start one run');
  assert.equal(together.filter(({ headers }) => headers['idempotency-replayed'] === undefined).length, 1);
});
