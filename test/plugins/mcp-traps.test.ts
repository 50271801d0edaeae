import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectModern,
  headersOf,
  INITIALIZE,
  messagesOf,
  modern,
  openSession,
  post,
  postUnread,
  rpc,
  toolCall,
  until,
} from '../fixtures/mcp/clients.ts';
import { startTestGateway } from '../fixtures/mcp/gateway.ts';

interface Answer {
  id?: unknown;
  result?: { isError?: boolean; structuredContent?: { result?: { message?: string } } };
  error?: { code: number };
}

const last = async (response: Response) => (await messagesOf(response)).at(-1) as Answer;

test('a thousand calls in one session leave nothing behind in its maps', async (t) => {
  const { url, app } = await startTestGateway(t);
  const session = await openSession(url);
  for (let id = 1; id <= 1000; id += 1) {
    const answer = await last(await post(url, toolCall(id, 'echo', { message: String(id) }), session));
    assert.equal(answer.result?.structuredContent?.result?.message, String(id));
  }
  assert.deepEqual(app.mcpCounts(), { sessions: 1, inFlight: 0, streams: 0, subscriptions: 0, calls: 0 });
});

test('three hundred calls of the newer era leave nothing behind', async (t) => {
  const { url, app } = await startTestGateway(t);
  for (let id = 1; id <= 300; id += 1) {
    const { body, headers } = modern(id, 'tools/call', { name: 'echo', arguments: { message: 'x' } });
    assert.equal((await last(await post(url, body, headersOf('alice', headers)))).id, id);
  }
  await until(() => app.mcpCounts().inFlight === 0);
  assert.deepEqual(app.mcpCounts(), { sessions: 0, inFlight: 0, streams: 0, subscriptions: 0, calls: 0 });
});

test('a Last-Event-ID, one of another session too, replays nothing', async (t) => {
  const { url, app } = await startTestGateway(t);
  const [one, other] = [await openSession(url, 'alice'), await openSession(url, 'bob')];
  const text = await (await post(url, toolCall(1, 'echo', { message: 'secret of alice' }), one)).text();
  assert.doesNotMatch(text, /^id:/m);
  for (const lastEventId of ['1', '0', one['mcp-session-id'] ?? '', `${one['mcp-session-id']}::1`]) {
    const abort = new AbortController();
    const headers = { ...other, 'last-event-id': lastEventId };
    const stream = await fetch(url, { headers, signal: abort.signal });
    assert.equal(stream.status, 200);
    const chunk = stream.body?.getReader().read();
    await app.inject('/nothing');
    abort.abort();
    await assert.rejects(chunk ?? Promise.resolve(), { name: 'AbortError' });
    await until(() => app.mcpCounts().streams === 0);
  }
});

test('a second request with the id of one in flight is refused, and the first gets its own answer', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const session = await openSession(url);
  const first = post(url, toolCall(7, 'slow', { key: 'first' }), session);
  const held = await runs.heldCall('first');
  const second = await post(url, toolCall(7, 'echo', { message: 'second' }), session);
  assert.equal(second.status, 400);
  assert.equal((await last(second)).error?.code, -32_600);
  held.finish('first');
  const answer = await last(await first);
  assert.equal(answer.id, 7);
  assert.equal(answer.result?.structuredContent?.result?.message, 'first');
  assert.equal((await post(url, toolCall(7, 'echo', { message: 'again' }), session)).status, 200);
});

test('the ids 7 and "7" are two requests, and each answer goes to its own', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const session = await openSession(url);
  const number = post(url, toolCall(7, 'slow', { key: 'number' }), session);
  const text = post(url, toolCall('7', 'slow', { key: 'text' }), session);
  (await runs.heldCall('text')).finish('text');
  (await runs.heldCall('number')).finish('number');
  assert.deepEqual((await last(await number)).result?.structuredContent?.result, { message: 'number' });
  assert.deepEqual((await last(await text)).result?.structuredContent?.result, { message: 'text' });
});

test('a session id in the hands of another principal is unknown', async (t) => {
  const { url } = await startTestGateway(t);
  const session = await openSession(url, 'alice');
  const stolen = { ...session, authorization: 'Bearer bob' };
  assert.equal((await post(url, toolCall(1, 'echo', { message: 'x' }), stolen)).status, 404);
  assert.equal((await fetch(url, { headers: stolen })).status, 404);
  assert.equal((await fetch(url, { method: 'DELETE', headers: stolen })).status, 404);
  assert.equal((await post(url, toolCall(1, 'echo', { message: 'x' }), session)).status, 200);
});

test('a batch is refused in both eras and starts nothing', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const session = await openSession(url);
  const call = toolCall(1, 'echo', { message: 'x' });
  for (const batch of [[call], [call, { ...call, id: 2 }], [], [modern(1, 'tools/list').body]]) {
    const response = await post(url, batch, session);
    assert.equal(response.status, 400);
    assert.equal((await last(response)).error?.code, -32_600);
  }
  assert.equal(runs.requests.length, 0);
});

test('a version header that contradicts the session is refused', async (t) => {
  const { url } = await startTestGateway(t);
  const session = await openSession(url);
  for (const version of ['2025-06-18', '2024-11-05', '1999-01-01', '2025-11-25, 2025-11-25']) {
    const headers = { ...session, 'mcp-protocol-version': version };
    assert.equal((await post(url, rpc(1, 'ping'), headers)).status, 400, version);
  }
  assert.equal((await post(url, rpc(1, 'ping'), session)).status, 200);
  assert.equal((await post(url, INITIALIZE, headersOf('alice', { 'mcp-protocol-version': '1999-01-01' }))).status, 400);
});

test('what is not JSON, not acceptable, too large or too deep is refused before the protocol sees it', async (t) => {
  const { url } = await startTestGateway(t, { bodyLimit: 4096 });
  const status = async (body: unknown, over: Record<string, string | undefined>) =>
    (await post(url, body, headersOf('alice', over))).status;
  const list = modern(1, 'tools/list');
  assert.equal(await status(list.body, { ...list.headers, 'content-type': 'text/plain' }), 415);
  assert.equal(await status(list.body, { ...list.headers, 'content-type': 'application/x-json' }), 415);
  assert.equal(await status(list.body, { ...list.headers, accept: 'application/json' }), 406);
  assert.equal(await status(list.body, { ...list.headers, accept: 'application/json, text/event-stream;q=0' }), 406);
  assert.equal(await status(list.body, { ...list.headers, accept: '*/*' }), 200);
  assert.equal(await status('x'.repeat(5000), {}), 413);
  const codeOf = async (body: string) => (await last(await post(url, body, headersOf('alice')))).error?.code;
  assert.equal(await codeOf('{"jsonrpc"'), -32_700);
  assert.equal(await codeOf(`${'['.repeat(2000)}${']'.repeat(2000)}`), -32_600);
  assert.equal(await codeOf('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{"a":1}}}'), -32_600);
  assert.equal(await codeOf('7'), -32_600);
});

test('a client that drops in the middle of an answer leaves no stream behind', async (t) => {
  const { url, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  const older = await postUnread(url, toolCall(1, 'slow', { key: 'older' }), session);
  const { body, headers } = modern(1, 'tools/call', { name: 'slow', arguments: { key: 'newer' } });
  const newer = await postUnread(url, body, headersOf('alice', headers));
  const held = await Promise.all([runs.heldCall('older'), runs.heldCall('newer')]);
  older.request.destroy();
  newer.request.destroy();
  await until(() => held[1].aborted);
  held[0].finish('nobody listens');
  await until(() => app.mcpCounts().inFlight === 0 && app.mcpCounts().calls === 0);
});

test('closing the stream cancels in the newer era and does not in the older', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const session = await openSession(url);
  const older = await postUnread(url, toolCall(1, 'slow', { key: 'older' }), session);
  const { body, headers } = modern(1, 'tools/call', { name: 'slow', arguments: { key: 'newer' } });
  const newer = await postUnread(url, body, headersOf('alice', headers));
  const [first, second] = await Promise.all([runs.heldCall('older'), runs.heldCall('newer')]);
  older.request.destroy();
  newer.request.destroy();
  await until(() => second.aborted);
  assert.equal(first.aborted, false);
  await post(url, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }, session);
  await until(() => first.aborted);
});

test('a cancelled request ends its stream without an answer, also when its id is 0', async (t) => {
  const { url, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  const answer = post(url, toolCall(0, 'slow', { key: 'zero' }), session);
  const held = await runs.heldCall('zero');
  const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 0 } };
  assert.equal((await post(url, cancel, session)).status, 202);
  assert.deepEqual(await messagesOf(await answer), []);
  assert.equal(held.aborted, true);
  await until(() => app.mcpCounts().calls === 0);
  assert.equal((await post(url, cancel, session)).status, 202);
});

test('the tool is taken from the body: a mirrored header that names another one is refused', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const { body, headers } = modern(1, 'tools/call', { name: 'slow', arguments: { key: 'x' } });
  const lying = await post(url, body, headersOf('alice', { ...headers, 'mcp-name': 'echo' }));
  assert.equal(lying.status, 400);
  const wrongMethod = await post(url, body, headersOf('alice', { ...headers, 'mcp-method': 'tools/list' }));
  assert.equal(wrongMethod.status, 400);
  assert.equal(runs.requests.length, 0);
  const session = await openSession(url);
  const older = await post(url, toolCall(1, 'echo', { message: 'x' }), { ...session, 'mcp-name': 'slow' });
  assert.equal((await last(older)).result?.isError, undefined);
  assert.equal(runs.requests[0]?.tool, 'echo');
});

test('an unknown tool is a protocol error, bad arguments and failed runs are results', async (t) => {
  const { url } = await startTestGateway(t);
  const session = await openSession(url);
  const call = async (name: string, args: Record<string, unknown>) => [
    await last(await post(url, toolCall(1, name, args), session)),
    await last(
      await (async () => {
        const { body, headers } = modern(1, 'tools/call', { name, arguments: args });
        return post(url, body, headersOf('alice', headers));
      })(),
    ),
  ];
  for (const answer of await call('nmap', {})) assert.equal(answer.error?.code, -32_602);
  for (const code of ['ERR_INPUT_INVALID', 'ERR_TOOL_FAILED', 'ERR_OVERLOADED'])
    for (const answer of await call('failing', { code })) assert.equal(answer.result?.isError, true);
  for (const answer of await call('failing', { code: 'ERR_TOOL_UNKNOWN' })) assert.equal(answer.error?.code, -32_602);
});

test('two sessions with the same request ids never get each other’s answers (CVE-2026-25536)', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const sessions = await Promise.all(['alice', 'bob', 'alice', 'bob'].map((key) => openSession(url, key)));
  const answers = sessions.map((session, index) => post(url, toolCall(1, 'slow', { key: `s${index}` }), session));
  const held = await Promise.all(sessions.map((_, index) => runs.heldCall(`s${index}`)));
  for (const index of [2, 0, 3, 1]) held[index]?.finish(`for ${index}`);
  for (const [index, answer] of answers.entries())
    assert.equal((await last(await answer)).result?.structuredContent?.result?.message, `for ${index}`);
  const owners = runs.requests.map(({ principal, input }) => `${principal.id} ${JSON.stringify(input)}`);
  for (const [index, owner] of ['alice', 'bob', 'alice', 'bob'].entries())
    assert.ok(owners.includes(`${owner} {"key":"s${index}"}`));
});

test('two principals of the newer era with the same request ids never get each other’s answers', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const [alice, bob] = [await connectModern(t, url), await connectModern(t, url, { key: 'bob' })];
  const one = alice.client.callTool({ name: 'slow', arguments: { key: 'a' } });
  const two = bob.client.callTool({ name: 'slow', arguments: { key: 'b' } });
  (await runs.heldCall('b')).finish('for bob');
  (await runs.heldCall('a')).finish('for alice');
  assert.match(JSON.stringify((await one).structuredContent), /for alice/);
  assert.match(JSON.stringify((await two).structuredContent), /for bob/);
  assert.equal((await runs.heldCall('a')).request.principal.id, 'alice');
});
