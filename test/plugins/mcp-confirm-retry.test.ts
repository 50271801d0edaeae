import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AwaitingEngine, DIGEST } from '../fixtures/mcp/approvals.ts';
import { headersOf, messagesOf, modern, post, until } from '../fixtures/mcp/clients.ts';
import { startTestGateway } from '../fixtures/mcp/gateway.ts';

async function setUp(t: TestContext) {
  const engine = new AwaitingEngine();
  return { ...(await startTestGateway(t, { runs: engine, approvals: engine.desk })), engine };
}

interface Answer {
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: boolean;
  readonly requestState?: string;
  readonly resultType?: string;
  readonly inputRequests?: Record<string, unknown>;
}

/** A call of the newer era by a client that shows forms. */
function formCall(id: number, more: Record<string, unknown> = {}, args: Record<string, unknown> = { key: 'k' }) {
  const _meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } };
  return modern(id, 'tools/call', { name: 'slow', arguments: args, ...more, _meta });
}

async function send(url: URL, { body, headers }: ReturnType<typeof modern>, key = 'operator') {
  const response = await post(url, body, { ...headersOf(key), ...headers });
  return (await messagesOf(response)).at(-1) as { result?: Answer; error?: { code: number } };
}

const responses = { confirm: { action: 'accept', content: { confirm: true } } };

test('newer era: the question comes as a result, and only who was asked can answer it, in the same call', async (t) => {
  const { url, engine } = await setUp(t);
  const { result } = await send(url, formCall(1));
  assert.equal(result?.resultType, 'input_required');
  assert.deepEqual(Object.keys(result?.inputRequests ?? {}), ['confirm']);
  const { requestState } = result ?? {};
  const retry = { requestState, inputResponses: responses };
  assert.equal((await send(url, formCall(2, retry), 'other')).error?.code, -32_602);
  assert.equal((await send(url, formCall(3, retry, { key: 'other' }))).error?.code, -32_602);
  assert.equal((await send(url, formCall(4, { inputResponses: responses }))).error?.code, -32_602);
  assert.equal((await send(url, formCall(5, { ...retry, requestState: 'forged' }))).error?.code, -32_602);
  assert.equal((await send(url, formCall(6, { ...retry, requestState: 7 }))).error?.code, -32_602);
  assert.deepEqual(engine.confirmed, []);
  for (const id of [7, 8, 9]) {
    const answer = await send(url, formCall(id, retry));
    assert.equal(answer.result?.structuredContent?.['state'], 'awaiting_approval');
  }
  assert.equal(engine.confirmed.length, 1);
  assert.equal(engine.requests.length, 1);
});

test('newer era: the state that goes through the client tells it nothing', async (t) => {
  const { url, engine } = await setUp(t);
  const { result } = await send(url, formCall(1));
  const bytes = Buffer.from(result?.requestState ?? '', 'base64url');
  for (const secret of [engine.onlyRun.runId, DIGEST.slice(0, 12), 'operator']) assert.ok(!bytes.includes(secret));
});

test('newer era: who closes the answer to a confirmed call ends its run', async (t) => {
  const { url, engine } = await setUp(t);
  engine.selfConfirm = true;
  const { result } = await send(url, formCall(1));
  const { body, headers } = formCall(2, { requestState: result?.requestState, inputResponses: responses });
  const leaving = new AbortController();
  await fetch(url, {
    method: 'POST',
    headers: { ...headersOf('operator'), ...headers },
    body: JSON.stringify(body),
    signal: leaving.signal,
  });
  await until(() => engine.onlyRun.state === 'running');
  leaving.abort();
  await until(() => engine.onlyRun.state === 'cancelled');
});

test('newer era: a denied run answers the retried call as the refusal that it is', async (t) => {
  const { url, engine } = await setUp(t);
  const { result } = await send(url, formCall(1));
  engine.deny(engine.onlyRun.runId);
  const answer = await send(url, formCall(2, { requestState: result?.requestState, inputResponses: responses }));
  assert.equal(answer.result?.isError, true);
  assert.match(JSON.stringify(answer.result), /ERR_APPROVAL_DENIED/);
  assert.deepEqual(engine.confirmed, []);
});

test('newer era: a run whose call said that it waits for people still asks at once instead of holding the stream', async (t) => {
  const { url, engine } = await setUp(t);
  const { result } = await send(url, formCall(1, {}, { key: 'k', run: { waitMs: 600_000 } }));
  assert.equal(result?.resultType, 'input_required');
  assert.equal(engine.onlyRun.state, 'awaiting_approval');
  assert.equal(engine.held.get('k')?.detached, true);
});
