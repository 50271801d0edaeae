import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectLegacy,
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

const ping = rpc(1, 'ping');

test('a session ends after its idle time, but not while a call runs', async (t) => {
  const { url, clock, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  clock.ms += 59_000;
  assert.equal((await post(url, ping, session)).status, 200);
  const answer = post(url, toolCall(2, 'slow', { key: 'long' }), session);
  const held = await runs.heldCall('long');
  clock.ms += 300_000;
  assert.equal((await post(url, ping, session)).status, 200);
  clock.ms += 200_000;
  held.finish('at last');
  assert.match(await (await answer).text(), /at last/);
  assert.equal((await post(url, ping, session)).status, 200);
  clock.ms += 60_000;
  assert.equal((await post(url, ping, session)).status, 404);
  assert.equal(app.mcpCounts().sessions, 0);
});

test('nothing extends the absolute life of a session, and what it began is still answered', async (t) => {
  const { url, clock, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  const answer = post(url, toolCall(1, 'slow', { key: 'late' }), session);
  const held = await runs.heldCall('late');
  for (let minute = 0; minute < 10; minute += 1) {
    clock.ms += 60_000;
    await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, session);
  }
  assert.equal((await post(url, { ...ping, id: 2 }, session)).status, 404);
  held.finish('kept');
  assert.match(await (await answer).text(), /kept/);
  assert.equal((await post(url, ping, session)).status, 404);
  assert.equal(app.mcpCounts().sessions, 0);
});

test('a forgotten session is swept away when another one opens', async (t) => {
  const { url, clock, app, metrics } = await startTestGateway(t, { limits: { maxSessions: 1 } });
  await openSession(url, 'alice');
  assert.equal((await post(url, INITIALIZE, headersOf('bob'))).status, 503);
  clock.ms += 60_000;
  assert.equal((await post(url, INITIALIZE, headersOf('bob'))).status, 200);
  assert.equal(app.mcpCounts().sessions, 1);
  assert.equal(metrics.gauges.get('sallyport_mcp_sessions'), 1);
});

test('a principal has its own cap of sessions, and ending one makes room', async (t) => {
  const { url } = await startTestGateway(t, { limits: { maxSessionsPerPrincipal: 2 } });
  const [first] = [await openSession(url), await openSession(url)];
  const refused = await post(url, INITIALIZE, headersOf('alice'));
  assert.equal(refused.status, 429);
  const body = (await refused.json()) as { code: string; retryAfterMs: number };
  assert.equal(body.code, 'ERR_RATE_LIMITED');
  assert.ok(body.retryAfterMs > 0);
  assert.equal((await post(url, INITIALIZE, headersOf('bob'))).status, 200);
  assert.equal((await fetch(url, { method: 'DELETE', headers: first ?? {} })).status, 204);
  assert.equal((await post(url, INITIALIZE, headersOf('alice'))).status, 200);
});

test('open subscriptions of the newer era have the caps of sessions', async (t) => {
  const { url, app } = await startTestGateway(t, { limits: { maxSessionsPerPrincipal: 1, maxSessions: 2 } });
  const { body, headers } = modern(1, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  const first = await postUnread(url, body, headersOf('alice', headers));
  assert.equal(first.response.statusCode, 200);
  assert.equal((await post(url, body, headersOf('alice', headers))).status, 429);
  const other = await postUnread(url, body, headersOf('bob', headers));
  assert.equal((await post(url, body, headersOf('reader', headers))).status, 503);
  first.request.destroy();
  other.request.destroy();
  await until(() => app.mcpCounts().subscriptions === 0);
});

test('DELETE ends a session, tells its calls, and cancels their runs', async (t) => {
  const { url, runs, app } = await startTestGateway(t);
  const { client, transport } = await connectLegacy(t, url);
  const answer = client.callTool({ name: 'slow', arguments: { key: 'd' } });
  const held = await runs.heldCall('d');
  const refused = assert.rejects(answer, { code: 1410 });
  await transport.terminateSession();
  await refused;
  assert.equal(held.aborted, true);
  await until(() => app.mcpCounts().calls === 0 && app.mcpCounts().sessions === 0 && app.mcpCounts().streams === 0);
});

test('a session must be named, must exist, and is initialized once', async (t) => {
  const { url } = await startTestGateway(t);
  const session = await openSession(url);
  assert.equal((await post(url, ping, headersOf('alice'))).status, 400);
  assert.equal((await post(url, ping, headersOf('alice', { 'mcp-session-id': 'made-up' }))).status, 404);
  assert.equal((await post(url, INITIALIZE, session)).status, 400);
  assert.equal((await post(url, rpc(1, 'initialize', {}), headersOf('alice'))).status, 400);
  assert.equal((await post(url, { jsonrpc: '2.0', id: 9, result: {} }, session)).status, 400);
  assert.equal((await post(url, ping, session)).status, 200);
});

test('a session has one stream of its own, and a HEAD opens none', async (t) => {
  const { url, app } = await startTestGateway(t);
  const session = await openSession(url);
  const abort = new AbortController();
  const stream = await fetch(url, { headers: session, signal: abort.signal });
  assert.equal(stream.headers.get('content-type'), 'text/event-stream');
  assert.equal((await fetch(url, { headers: session })).status, 409);
  abort.abort();
  await until(() => app.mcpCounts().streams === 0);
  assert.equal((await fetch(url, { method: 'HEAD', headers: session })).status, 405);
  assert.equal((await fetch(url, { headers: { ...session, accept: 'application/json' } })).status, 406);
  assert.equal(app.mcpCounts().streams, 0);
});

test('headers that others set are on streams too, which hooks never see', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const echo = { name: 'echo', arguments: { message: 'x' } };
  const older = await post(url, rpc(1, 'tools/call', echo), await openSession(url));
  const { body, headers } = modern(1, 'tools/call', echo);
  const newer = await post(url, body, headersOf('alice', headers));
  const ids = [older, newer].map((response) => response.headers.get('x-request-id'));
  assert.deepEqual(
    runs.requests.map(({ requestId }) => requestId),
    ids,
  );
  for (const response of [older, newer]) assert.equal(response.headers.get('x-accel-buffering'), 'no');
});

test('a request for a task is answered as a call, because tasks are not declared', async (t) => {
  const { url } = await startTestGateway(t);
  const params = { name: 'echo', arguments: { message: 'plain' }, task: { ttl: 1000 } };
  const answer = await messagesOf(await post(url, rpc(1, 'tools/call', params), await openSession(url)));
  assert.match(JSON.stringify(answer), /plain/);
});

test('methods that the protocol does not have are refused', async (t) => {
  const { url } = await startTestGateway(t);
  for (const method of ['PUT', 'PATCH', 'OPTIONS'])
    assert.equal((await fetch(url, { method, headers: headersOf('alice') })).status, 405, method);
  const newer = headersOf('alice', { 'mcp-protocol-version': '2026-07-28' });
  for (const method of ['GET', 'DELETE']) assert.equal((await fetch(url, { method, headers: newer })).status, 405);
  assert.equal((await fetch(url, { headers: headersOf('alice') })).status, 400);
  assert.equal((await fetch(url, { headers: headersOf('nobody') })).status, 401);
});

test('a key without the scope sees no list and starts no run, in both eras', async (t) => {
  const { url, runs } = await startTestGateway(t);
  const ask = async (key: string, method: string, params: Record<string, unknown>) => {
    const older = await post(url, rpc(1, method, params), await openSession(url, key));
    const { body, headers } = modern(1, method, params);
    const newer = await post(url, body, headersOf(key, headers));
    return [(await messagesOf(older)).at(-1), (await messagesOf(newer)).at(-1)] as {
      error?: { code: number };
      result?: { isError?: boolean; tools?: unknown[]; _meta?: { 'sallyport/error'?: { code: string } } };
    }[];
  };
  const echo = { name: 'echo', arguments: { message: 'x' } };
  for (const answer of await ask('runner', 'tools/list', {})) assert.equal(answer.error?.code, 1403);
  for (const answer of await ask('reader', 'tools/list', {})) assert.equal(answer.result?.tools?.length, 4);
  for (const { result } of await ask('reader', 'tools/call', echo)) {
    assert.equal(result?.isError, true);
    assert.equal(result?._meta?.['sallyport/error']?.code, 'ERR_AUTH_FORBIDDEN');
  }
  assert.equal(runs.requests.length, 0);
  for (const { result } of await ask('runner', 'tools/call', echo)) assert.equal(result?.isError, undefined);
});

test('a shutdown ends sessions and streams of both eras, and of the runs only those that do not outlive their connection', async (t) => {
  const gateway = await startTestGateway(t);
  const { url, runs, app, registry } = gateway;
  const session = await openSession(url);
  const older = post(url, toolCall(1, 'slow', { key: 'older' }), session);
  const { body, headers } = modern(1, 'tools/call', { name: 'slow', arguments: { key: 'newer' } });
  const newer = await postUnread(url, body, headersOf('alice', headers));
  const own = await fetch(url, { headers: session });
  const held = await Promise.all([runs.heldCall('older'), runs.heldCall('newer')]);
  await app.close();
  assert.deepEqual(
    held.map((call) => call.aborted),
    [false, true],
  );
  assert.match(await (await older).text(), /"code":1410/);
  assert.equal(await own.text(), '');
  newer.request.destroy();
  assert.equal(registry.listeners, 0);
  assert.deepEqual(app.mcpCounts(), { sessions: 0, inFlight: 0, streams: 0, subscriptions: 0, calls: 0 });
});

test('metrics count by era and method from a closed set, and no log line carries a whole session id', async (t) => {
  const { url, metrics, log } = await startTestGateway(t);
  const session = await openSession(url);
  await post(url, rpc(1, 'tools/list'), session);
  await post(url, rpc(2, 'made/up'), session);
  await post(url, rpc(3, 'ping'), { ...session, 'mcp-session-id': 'unknown' });
  const { body, headers } = modern(1, 'server/discover');
  await post(url, body, headersOf('alice', headers));
  const count = (label: string) => metrics.counts.get(`sallyport_mcp_requests_total ${label}`);
  assert.equal(count('legacy initialize'), 1);
  assert.equal(count('legacy tools/list'), 1);
  assert.equal(count('legacy other'), 1);
  assert.equal(count('modern server/discover'), 1);
  assert.ok(log.lines.some(({ event }) => event === 'mcp.session_opened'));
  assert.ok(log.lines.some(({ event, fields }) => event === 'mcp.refused' && fields['reason'] === 'session'));
  assert.equal(JSON.stringify(log.lines).includes(session['mcp-session-id'] ?? 'x'), false);
});
