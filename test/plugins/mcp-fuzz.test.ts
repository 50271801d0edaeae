import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { headersOf, messagesOf, modern, openSession, post, rpc } from '../fixtures/mcp/clients.ts';
import { startTestGateway } from '../fixtures/mcp/gateway.ts';

const METHODS = [
  'ping',
  'initialize',
  'tools/list',
  'tools/call',
  'notifications/cancelled',
  'notifications/x',
  'x',
  '',
];
const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('echo', 'failing', 'token', 0, -1, 1.5));
const key = fc.constantFrom('name', 'arguments', 'cursor', '_meta', 'requestId', 'task', 'protocolVersion', 'message');
const params = fc.oneof(
  value,
  fc.dictionary(key, fc.oneof(value, fc.dictionary(fc.constantFrom('message', 'code', 'progressToken'), value))),
);
const message = fc.record(
  {
    jsonrpc: fc.constantFrom('2.0', '1.0', 2),
    id: value,
    method: fc.oneof(fc.constantFrom(...METHODS), value),
    params,
    result: value,
  },
  { requiredKeys: [] },
);

test('whatever an authenticated client sends, it is answered below 500, nothing leaks, and the gateway goes on', async (t) => {
  const { url, app, log } = await startTestGateway(t, { limits: { maxSessions: 5000, maxSessionsPerPrincipal: 5000 } });
  const session = await openSession(url);
  const answer = async (body: unknown, headers: Record<string, string>) => {
    const response = await post(url, body, { ...headers, connection: 'close' });
    assert.ok(response.status < 500, `${response.status}`);
    for (const sent of await messagesOf(response))
      assert.doesNotMatch(JSON.stringify(sent), /at .*\.ts:|node_modules|hunter2/);
  };
  await fc.assert(
    fc.asyncProperty(message, async (body) => {
      await answer(body, session);
      await answer(body, headersOf('alice'));
      const fields = body.params as Record<string, unknown> | undefined;
      const newer = modern(
        1,
        typeof body.method === 'string' ? body.method : 'x',
        typeof fields === 'object' && fields !== null ? fields : {},
      );
      const isHeaderText = Object.values(newer.headers).every((text) => /^[!-~]*$/.test(text));
      if (isHeaderText) await answer(newer.body, headersOf('alice', newer.headers));
    }),
    { numRuns: 150 },
  );
  assert.equal((await post(url, rpc('last', 'ping'), session)).status, 200);
  const { inFlight, calls } = app.mcpCounts();
  assert.deepEqual({ inFlight, calls }, { inFlight: 0, calls: 0 });
  assert.deepEqual(
    log.lines.filter(({ event, fields }) => event === 'request.failed' && !String(fields['cause']).includes('hunter2')),
    [],
  );
});
