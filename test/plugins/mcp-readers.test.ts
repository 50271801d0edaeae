import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
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
import { FakeRegistry, FIXTURE_TOOLS } from '../fixtures/mcp/tools.ts';

const withToken = (params: Record<string, unknown>) => ({ ...params, _meta: { progressToken: 'token' } });
const slowCall = (key: string) => withToken({ name: 'slow', arguments: { key } });

/** A call in each era whose answer nobody reads. */
async function openUnread(url: URL, key: string, era: string) {
  if (era === 'older') return postUnread(url, rpc(1, 'tools/call', slowCall(key)), await openSession(url));
  const { body, headers } = modern(1, 'tools/call', slowCall(key));
  return postUnread(url, body, headersOf('alice', headers));
}

for (const era of ['older', 'newer']) {
  test(`a client of the ${era} era that never reads its progress does not fill the memory`, async (t) => {
    const { url, runs, clock, responses, app } = await startTestGateway(t);
    const { request } = await openUnread(url, era, era);
    const held = await runs.heldCall(era);
    const raw = responses.at(-1);
    let most = 0;
    for (let round = 0; round < 2000; round += 1) {
      for (let event = 0; event < 20; event += 1) {
        clock.ms += 1000;
        held.emit({ kind: 'progress', percent: round / 20, message: 'x'.repeat(500) });
      }
      await tick();
      most = Math.max(most, raw?.writableLength ?? 0);
    }
    assert.ok(raw?.writableNeedDrain, 'the reader was slow indeed');
    assert.ok(most < 128 * 1024, `${most} bytes waited`);
    request.destroy();
    held.finish('over');
    await until(() => app.mcpCounts().inFlight === 0 && app.mcpCounts().calls === 0);
  });

  test(`a client of the ${era} era that leaves its answer unread is let go`, async (t) => {
    // No run's answer is larger than the buffers of a socket; a list can be.
    const huge = FIXTURE_TOOLS.slice(0, 1).map((tool) => ({ ...tool, description: 'x'.repeat(24_000_000) }));
    const options = { stallMs: 200, registry: new FakeRegistry(huge) };
    const { url, responses, app } = await startTestGateway(t, options);
    const { body, headers } = modern(1, 'tools/list', {});
    const session = era === 'older' ? await openSession(url) : headersOf('alice', headers);
    const { response } = await postUnread(url, era === 'older' ? rpc(1, 'tools/list', {}) : body, session);
    const closed = new Promise((resolve) => response.once('close', resolve));
    const raw = responses.at(-1);
    await until(() => raw?.destroyed === true);
    assert.equal(raw?.writableFinished, false);
    response.resume();
    await closed;
    await until(() => app.mcpCounts().inFlight === 0);
  });

  test(`a client of the ${era} era that reads late gets the whole answer`, async (t) => {
    const { url, runs } = await startTestGateway(t);
    const { response } = await openUnread(url, `late ${era}`, era);
    (await runs.heldCall(`late ${era}`)).finish('patience');
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    assert.match(text, /patience/);
  });
}

test('two hundred dropped connections leave nothing behind and the gateway goes on', async (t) => {
  const { url, runs, app } = await startTestGateway(t);
  const session = await openSession(url);
  for (let id = 1; id <= 100; id += 1) {
    const older = await postUnread(url, toolCall(id, 'slow', { key: `o${id}` }), session);
    const { body, headers } = modern(id, 'tools/call', { name: 'slow', arguments: { key: `n${id}` } });
    const newer = await postUnread(url, body, headersOf('bob', headers));
    older.request.destroy();
    newer.request.destroy();
    (await runs.heldCall(`o${id}`)).finish('unheard');
  }
  await until(() => app.mcpCounts().inFlight === 0 && app.mcpCounts().calls === 0);
  const [answer] = await messagesOf(await post(url, toolCall(1, 'echo', { message: 'still here' }), session));
  assert.match(JSON.stringify(answer), /still here/);
});

test('a client that left before its request was handled leaves nothing behind', async (t) => {
  const { url, app, responses, runs } = await startTestGateway(t);
  const session = { ...(await openSession(url)), 'x-test': 'wait-until-closed' };
  const { body, headers } = modern(1, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  const leave = async (method: string, sent: object | undefined, sentHeaders: Record<string, string>) => {
    const known = responses.length;
    const request = http.request(url, { method, headers: sentHeaders, agent: false });
    request.on('error', () => undefined);
    request.end(sent === undefined ? undefined : JSON.stringify(sent));
    await until(() => responses.length > known);
    request.destroy();
    await until(() => responses.at(-1)?.closed === true);
  };
  await leave('GET', undefined, session);
  await leave('POST', toolCall(1, 'slow', { key: 'gone' }), session);
  await leave('POST', body, headersOf('alice', { ...headers, 'x-test': 'wait-until-closed' }));
  (await runs.heldCall('gone')).finish('nobody');
  await until(() => {
    const { inFlight, streams, subscriptions, calls } = app.mcpCounts();
    return inFlight + streams + subscriptions + calls === 0;
  });
});

test('a long result is shortened as structured content and as text, and both say so', async (t) => {
  const { url } = await startTestGateway(t);
  const answer = await messagesOf(await post(url, toolCall(1, 'big', { entries: 5000 }), await openSession(url)));
  const { result } = answer.at(-1) as {
    result: {
      content: { text: string }[];
      structuredContent: { result: { hosts: [] }; shortened: { path: string; kind: string; omitted: number }[] };
    };
  };
  const { hosts } = result.structuredContent.result;
  assert.ok(hosts.length > 0);
  const [cut] = result.structuredContent.shortened.filter(({ kind }) => kind === 'items');
  assert.deepEqual(cut, { path: 'hosts', kind: 'items', omitted: 5000 - hosts.length });
  const [content] = result.content;
  assert.ok((content?.text.length ?? 0) < 16_000);
  assert.match(content?.text ?? '', /hosts: 5000/);
  assert.match(content?.text ?? '', /Cut: /);
});
