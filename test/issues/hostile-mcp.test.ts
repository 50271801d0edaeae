/*
 * What holds against MCP clients that mix the eras, reuse every id, drop, delete and cancel at the wrong moment, and
 * never read: nobody gets what is another's, and nothing is left behind.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  headersOf,
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

const NOTHING = { sessions: 0, inFlight: 0, streams: 0, subscriptions: 0, calls: 0 };

/** Token and message of a progress notification. */
function pick(params: unknown): unknown[] {
  const { progressToken, message } = (params ?? {}) as Record<string, unknown>;
  return [progressToken, message];
}

/** Text of the last message of an answer; a connection that was dropped says nothing. */
async function answerOf(response: Response): Promise<string> {
  return JSON.stringify((await messagesOf(response)).at(-1) ?? {});
}

test('two thousand calls of both eras, cancelled, dropped, deleted and unread between them, leave nothing behind', async (t) => {
  const limits = { maxSessionsPerPrincipal: 100, maxSessions: 200 };
  const { url, app, runs } = await startTestGateway(t, { limits });
  const drop = async (body: unknown, headers: Record<string, string>, key: string) => {
    const { request } = await postUnread(url, body, headers);
    const held = await runs.heldCall(key);
    held.emit({ kind: 'progress', message: 'x'.repeat(10_000) });
    request.destroy();
    return held;
  };
  for (let round = 0; round < 20; round += 1) {
    const session = await openSession(url, round % 2 === 0 ? 'alice' : 'bob');
    for (let id = 0; id < 45; id += 1) {
      const message = `${round} ${id}`;
      const older = await answerOf(await post(url, toolCall(id, 'echo', { message }), session));
      assert.ok(older.includes(message), older);
      const { body, headers } = modern(id, 'tools/call', { name: 'echo', arguments: { message } });
      const newer = await answerOf(await post(url, body, headersOf('alice', headers)));
      assert.ok(newer.includes(message), newer);
    }
    for (let id = 0; id < 3; id += 1) {
      const [older, newer] = [`old ${round} ${id}`, `new ${round} ${id}`];
      await drop({ ...toolCall(id, 'slow', { key: older }) }, session, older);
      const { body, headers } = modern(id, 'tools/call', { name: 'slow', arguments: { key: newer } });
      const held = await drop(body, headersOf('alice', headers), newer);
      await until(() => held.aborted);
    }
    // One cancelled, the others ended by the session's own end, with a cancellation that comes at the same time.
    const cancel = (requestId: number) =>
      post(url, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }, session);
    assert.equal((await cancel(0)).status, 202);
    const ends = await Promise.all([
      fetch(url, { method: 'DELETE', headers: session }),
      cancel(1),
      fetch(url, { method: 'DELETE', headers: session }),
      post(url, rpc(99, 'ping'), session),
    ]);
    for (const end of ends) assert.ok([200, 202, 204, 404].includes(end.status), String(end.status));
    await Promise.all(ends.map((end) => end.text()));
    for (let id = 0; id < 3; id += 1) assert.equal((await runs.heldCall(`old ${round} ${id}`)).aborted, true);
  }
  await until(() => JSON.stringify(app.mcpCounts()) === JSON.stringify(NOTHING));
  assert.deepEqual(app.mcpCounts(), NOTHING);
});

test('a message of one era with the headers of the other starts nothing', async (t) => {
  const { url, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  const call = { name: 'echo', arguments: { message: 'x' } };
  const { body, headers } = modern(1, 'tools/call', call);
  const mixes: Readonly<Record<string, readonly [unknown, Record<string, string>]>> = {
    'a newer body in an older session': [body, session],
    'an older body with newer headers': [rpc(1, 'tools/call', call), headersOf('alice', headers)],
    'an older body with newer headers in a session': [rpc(1, 'tools/call', call), { ...session, ...headers }],
    'a newer body with an older version': [
      body,
      headersOf('alice', { ...headers, 'mcp-protocol-version': '2025-11-25' }),
    ],
    'a newer body that names an older version': [
      modern(1, 'tools/call', { ...call, _meta: { 'io.modelcontextprotocol/protocolVersion': '2025-11-25' } }).body,
      headersOf('alice', headers),
    ],
    'another method in the header': [body, headersOf('alice', { ...headers, 'mcp-method': 'tools/list' })],
  };
  for (const [what, [message, with_]] of Object.entries(mixes)) {
    const answer = await post(url, message, with_);
    const text = await answer.text();
    assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status} ${text}`);
    assert.equal(runs.requests.length, 0, what);
  }
  await fetch(url, { method: 'DELETE', headers: session });
  await until(() => app.mcpCounts().inFlight === 0);
  assert.deepEqual(app.mcpCounts(), NOTHING);
});

test('a session id that the client chose opens no session', async (t) => {
  const { url, app } = await startTestGateway(t);
  const chosen = headersOf('alice', { 'mcp-session-id': 'A'.repeat(43) });
  const hello = rpc(0, 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'x', version: '1' },
  });
  assert.equal((await post(url, hello, chosen)).status, 404);
  assert.equal((await fetch(url, { headers: chosen })).status, 404);
  assert.equal((await fetch(url, { method: 'DELETE', headers: chosen })).status, 404);
  assert.equal(app.mcpCounts().sessions, 0);
});

test('a progress token comes back to the call that gave it alone, whatever other calls give', async (t) => {
  const { url, runs, clock } = await startTestGateway(t);
  const tokens = ['t', 't', 0, '0', '__proto__', 'x'.repeat(1000)];
  const sessions = [await openSession(url, 'alice'), await openSession(url, 'bob')];
  const answers = tokens.map((progressToken, id) =>
    post(
      url,
      rpc(id, 'tools/call', { name: 'slow', arguments: { key: `k${id}` }, _meta: { progressToken } }),
      sessions[id % 2] ?? {},
    ),
  );
  for (const [id] of tokens.entries()) {
    clock.ms += 1000;
    const held = await runs.heldCall(`k${id}`);
    held.emit({ kind: 'progress', message: `note of ${id}` });
  }
  for (const [id] of tokens.entries()) (await runs.heldCall(`k${id}`)).finish(`end of ${id}`);
  for (const [id, answer] of (await Promise.all(answers)).entries()) {
    const [note, end, ...more] = await messagesOf(answer);
    assert.deepEqual(more, []);
    assert.deepEqual(pick(note?.['params']), [tokens[id], `note of ${id}`]);
    assert.ok(JSON.stringify(end).includes(`end of ${id}`));
  }
});
