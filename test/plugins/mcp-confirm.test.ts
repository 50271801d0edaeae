import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client as NewClient, StreamableHTTPClientTransport as NewTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import { AwaitingEngine, DIGEST } from '../fixtures/mcp/approvals.ts';
import { headersOf, INITIALIZE, messagesOf, openSession, post, toolCall, until } from '../fixtures/mcp/clients.ts';
import { startTestGateway, type TestGatewayOptions } from '../fixtures/mcp/gateway.ts';

const INFO = { name: 'test', version: '1' };
const FORMS = { capabilities: { elicitation: { form: {} } } };

async function setUp(t: TestContext, limits: TestGatewayOptions['limits'] = {}) {
  const runs = new AwaitingEngine();
  const gateway = await startTestGateway(t, { runs, approvals: runs.desk, limits });
  return { ...gateway, engine: runs };
}

type Answer = { structuredContent?: Record<string, unknown>; isError?: boolean };
type Asked = { message: string };

/** A person at a client of the given era, and the call that this person is asked about. */
const ERAS: Record<string, (t: TestContext, url: URL, answer: (asked: Asked) => unknown) => Promise<Calling>> = {
  'older era': async (t, url, answer) => {
    const client = new Client(INFO, FORMS);
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answer(params) as ElicitResult);
    const requestInit = { headers: { authorization: 'Bearer operator' } };
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    t.after(() => client.close());
    return async (key, run = {}) => client.callTool({ name: 'slow', arguments: { key, run } }) as Promise<Answer>;
  },
  'newer era': async (t, url, answer) => {
    const client = new NewClient(INFO, { ...FORMS, versionNegotiation: { mode: { pin: '2026-07-28' } } });
    client.setRequestHandler('elicitation/create', async ({ params }) => answer(params as Asked) as ElicitResult);
    const requestInit = { headers: { authorization: 'Bearer operator' } };
    await client.connect(new NewTransport(url, { requestInit }));
    t.after(() => client.close());
    return async (key, run = {}) => client.callTool({ name: 'slow', arguments: { key, run } }) as Promise<Answer>;
  },
};
type Calling = (key: string, run?: Record<string, unknown>) => Promise<Answer>;

for (const [era, connect] of Object.entries(ERAS)) {
  test(`${era}: a person confirms, and the answer still says that another one has to approve`, async (t) => {
    const { url, engine } = await setUp(t);
    const asked: string[] = [];
    const call = await connect(t, url, ({ message }) => {
      asked.push(message);
      return { action: 'accept', content: { confirm: true } };
    });
    const { structuredContent, isError } = await call('k');
    const { runId } = engine.onlyRun;
    assert.deepEqual(engine.confirmed, [{ who: 'operator', runId, digest: DIGEST, accepted: true }]);
    assert.equal(isError, undefined);
    assert.equal(structuredContent?.['outcome'], 'unfinished');
    assert.equal(structuredContent?.['state'], 'awaiting_approval');
    assert.equal(structuredContent?.['runId'], runId);
    assert.match(String(structuredContent?.['next']), /another person.*run_status/);
    assert.equal(asked.length, 1);
    assert.match(asked[0] ?? '', /slow against 10\.0\.0\.1/);
    assert.equal(engine.held.get('k')?.detached, true);
  });

  test(`${era}: with selfConfirm the confirmed run goes on and the call waits for it`, async (t) => {
    const { url, engine } = await setUp(t);
    engine.selfConfirm = true;
    const call = await connect(t, url, () => ({ action: 'accept', content: { confirm: true } }));
    const answer = call('k');
    const held = await engine.heldCall('k');
    await until(() => engine.confirmed.length === 1);
    held.finish('done');
    const { structuredContent } = await answer;
    assert.equal(structuredContent?.['outcome'], 'succeeded');
    assert.deepEqual(structuredContent?.['result'], { message: 'done' });
    assert.equal(engine.requests.length, 1);
  });

  test(`${era}: a decline is handed on, and a dismissed form hands on nothing`, async (t) => {
    const { url, engine } = await setUp(t);
    const answers: unknown[] = [{ action: 'cancel' }, { action: 'decline' }, { action: 'accept', content: {} }];
    const call = await connect(t, url, () => answers.shift());
    for (const key of ['a', 'b', 'c'])
      assert.equal((await call(key)).structuredContent?.['state'], 'awaiting_approval');
    assert.deepEqual(
      engine.confirmed.map(({ accepted }) => accepted),
      [false],
    );
  });

  test(`${era}: a client that does not show forms is never asked, and its run waits for people`, async (t) => {
    const { url, engine } = await setUp(t);
    const plain = era === 'older era' ? new Client(INFO) : undefined;
    const newer = new NewClient(INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    const requestInit = { headers: { authorization: 'Bearer operator' } };
    await (plain?.connect(new StreamableHTTPClientTransport(url, { requestInit })) ??
      newer.connect(new NewTransport(url, { requestInit })));
    t.after(() => (plain ?? newer).close());
    const answer = (await (plain ?? newer).callTool({ name: 'slow', arguments: { key: 'k' } })) as Answer;
    assert.equal(answer.structuredContent?.['state'], 'awaiting_approval');
    assert.deepEqual(engine.confirmed, []);
    assert.equal(engine.onlyRun.state, 'awaiting_approval');
  });
}

/** A session whose client says that it shows forms. */
async function openAsking(url: URL, key = 'operator') {
  const params = { ...INITIALIZE.params, ...FORMS };
  const response = await post(url, { ...INITIALIZE, params }, headersOf(key));
  await response.text();
  return headersOf(key, { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' });
}

/** Calls and reads the question from the stream; `rest` is every message after it. */
async function askedOn(url: URL, session: Record<string, string>, key: string) {
  const response = await post(url, toolCall(1, 'slow', { key }), session);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.ok(reader);
  let text = '';
  const messages = () => [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
  while (!messages().some(({ method }) => method === 'elicitation/create')) text += (await reader.read()).value ?? '';
  const rest = async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    return messages();
  };
  const { id } = messages().find(({ method }) => method === 'elicitation/create');
  return { id: id as number, rest };
}

const yesTo = (id: unknown) => ({ jsonrpc: '2.0', id, result: { action: 'accept', content: { confirm: true } } });

test('another principal cannot answer a question, and neither can another session of the same one', async (t) => {
  const { url, engine } = await setUp(t);
  const session = await openAsking(url);
  const { id, rest } = await askedOn(url, session, 'k');
  const stolen = { ...session, authorization: 'Bearer other' };
  assert.equal((await post(url, yesTo(id), stolen)).status, 404);
  assert.equal((await post(url, yesTo(id), await openAsking(url, 'other'))).status, 400);
  assert.equal((await post(url, yesTo(id), await openAsking(url))).status, 400);
  assert.equal((await post(url, yesTo(id), headersOf('operator'))).status, 400);
  assert.deepEqual(engine.confirmed, []);
  assert.equal((await post(url, yesTo(id), session)).status, 202);
  assert.equal((await rest()).at(-1).result.structuredContent.state, 'awaiting_approval');
  assert.equal(engine.confirmed.length, 1);
});

test('a question is answered once, under exactly its id, and never after the call', async (t) => {
  const { url, engine } = await setUp(t);
  const session = await openAsking(url);
  assert.equal((await post(url, yesTo(0), session)).status, 400);
  const { id, rest } = await askedOn(url, session, 'k');
  for (const wrong of [String(id), id + 1, -1]) assert.equal((await post(url, yesTo(wrong), session)).status, 400);
  for (const wrong of [[id], true, null]) assert.equal((await post(url, yesTo(wrong), session)).status, 400);
  assert.equal((await post(url, yesTo(id), session)).status, 202);
  assert.equal((await post(url, yesTo(id), session)).status, 400);
  await rest();
  assert.equal((await post(url, yesTo(id), session)).status, 400);
  assert.equal(engine.confirmed.length, 1);
});

test('a client that never answers holds nothing after the wait of its call', async (t) => {
  const { url, engine, app } = await setUp(t, { inlineWaitMs: 50 });
  const session = await openAsking(url);
  const { id, rest } = await askedOn(url, session, 'k');
  const messages = await rest();
  assert.deepEqual(
    messages.map(({ method }) => method),
    ['elicitation/create', 'notifications/cancelled', undefined],
  );
  assert.equal(messages.at(-1).result.structuredContent.state, 'awaiting_approval');
  assert.equal((await post(url, yesTo(id), session)).status, 400);
  assert.deepEqual(engine.confirmed, []);
  await until(() => app.mcpCounts().inFlight === 0 && app.mcpCounts().calls === 0);
});

test('answers that are no answer confirm nothing: an error, another shape, a form without the tick', async (t) => {
  const { url, engine } = await setUp(t);
  const session = await openAsking(url);
  const bodies = [
    (id: number) => ({ jsonrpc: '2.0', id, error: { code: -32_601, message: 'Method not found' } }),
    (id: number) => ({ jsonrpc: '2.0', id, result: { action: 'yes' } }),
    (id: number) => ({ jsonrpc: '2.0', id, result: {} }),
    (id: number) => ({ jsonrpc: '2.0', id, result: { action: 'accept', content: { confirm: 'true' } } }),
  ];
  for (const [index, body] of bodies.entries()) {
    const { id, rest } = await askedOn(url, session, `k${index}`);
    assert.equal((await post(url, body(id), session)).status, 202);
    assert.equal((await rest()).at(-1).result.structuredContent.state, 'awaiting_approval');
  }
  assert.deepEqual(engine.confirmed, []);
});

test('a question is taken back when the run ends without it', async (t) => {
  const { url, engine } = await setUp(t);
  const session = await openAsking(url);
  const { rest } = await askedOn(url, session, 'k');
  engine.deny(engine.onlyRun.runId);
  const messages = await rest();
  assert.equal(messages[1].method, 'notifications/cancelled');
  assert.equal(messages.at(-1).result.isError, true);
  assert.deepEqual(engine.confirmed, []);
});

test('a session that ends takes its question with it', async (t) => {
  const { url, engine, app } = await setUp(t);
  const session = await openAsking(url);
  const { rest } = await askedOn(url, session, 'k');
  await fetch(url, { method: 'DELETE', headers: session });
  assert.equal((await rest()).at(-1).error.code, 1410);
  await until(() => app.mcpCounts().calls === 0);
  assert.deepEqual(engine.confirmed, []);
});

test('a session without the capability gets no question, whatever a call says of itself', async (t) => {
  const { url, engine } = await setUp(t);
  const params = { name: 'slow', arguments: { key: 'k' }, _meta: { elicitation: { form: {} } }, capabilities: FORMS };
  const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
  const messages = await messagesOf(await post(url, call, await openSession(url, 'operator')));
  assert.deepEqual(
    messages.map(({ method }) => method),
    [undefined],
  );
  assert.equal(engine.onlyRun.state, 'awaiting_approval');
});
