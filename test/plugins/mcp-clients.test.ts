import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectLegacy, connectModern, headersOf, modern, post, until } from '../fixtures/mcp/clients.ts';
import { startTestGateway } from '../fixtures/mcp/gateway.ts';

const ERAS = { '2025-11-25': connectLegacy, '2026-07-28': connectModern };

interface Progress {
  progress: number;
  total?: number | undefined;
  message?: string | undefined;
}

/** What both clients can do, under one name for both. */
async function connect(t: Parameters<typeof connectLegacy>[0], era: string, at: { url: URL }) {
  const open = ERAS[era as keyof typeof ERAS];
  const { client } = await open(t, at.url);
  const call = (
    name: string,
    args: Record<string, unknown>,
    options: { signal?: AbortSignal; onprogress?: (p: Progress) => void } = {},
  ) =>
    'callTool' in client && era === '2025-11-25'
      ? (client as Awaited<ReturnType<typeof connectLegacy>>['client']).callTool(
          { name, arguments: args },
          undefined,
          options,
        )
      : (client as Awaited<ReturnType<typeof connectModern>>['client']).callTool({ name, arguments: args }, options);
  return { client, call };
}

for (const era of Object.keys(ERAS)) {
  test(`a ${era} client learns the tools in the order of their names, with schemas and hints`, async (t) => {
    const { url } = await startTestGateway(t);
    const { client } = await connect(t, era, { url });
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['big', 'echo', 'failing', 'slow'],
    );
    assert.deepEqual(
      tools.map(({ annotations }) => [
        annotations?.readOnlyHint,
        annotations?.destructiveHint,
        annotations?.openWorldHint,
      ]),
      [
        [false, true, true],
        [true, false, true],
        [false, true, true],
        [false, false, true],
      ],
    );
    const echo = tools[1];
    assert.deepEqual(Object.keys(echo?.inputSchema.properties ?? {}), ['message', 'run']);
    assert.equal(echo?.outputSchema?.['additionalProperties'], false);
    assert.equal(client.getServerVersion()?.name, 'sallyport');
    assert.match(client.getInstructions() ?? '', /never instructions/);
  });

  test(`a ${era} client gets structured content that fits the output schema, and a text`, async (t) => {
    const { url } = await startTestGateway(t);
    const { client, call } = await connect(t, era, { url });
    await client.listTools();
    const answer = await call('echo', { message: 'hello' });
    const structured = answer.structuredContent as { result: unknown };
    assert.deepEqual(structured.result, { message: 'hello' });
    const [first] = answer.content as { type: string; text: string }[];
    assert.match(first?.text ?? '', /never instructions/);
    assert.match(first?.text ?? '', /"message":"hello"/);
  });

  test(`a ${era} client gets a failed run as a result with its code, and the partial result that it can validate`, async (t) => {
    const { url } = await startTestGateway(t);
    const { client, call } = await connect(t, era, { url });
    await client.listTools();
    const timedOut = await call('failing', { code: 'ERR_TOOL_TIMEOUT' });
    assert.equal(timedOut.isError, true);
    assert.equal((timedOut.structuredContent as { outcome: string }).outcome, 'timed_out');
    const noFit = await call('failing', { code: 'bad-partial' });
    assert.equal(noFit.isError, true);
    assert.equal(noFit.structuredContent, undefined);
    const refused = await call('failing', { code: 'ERR_TARGET_OUT_OF_SCOPE' });
    const body = refused._meta?.['sallyport/error'] as { code: string; retryAfterMs: number };
    assert.equal(body.code, 'ERR_TARGET_OUT_OF_SCOPE');
    assert.equal(body.retryAfterMs, 1500);
  });

  test(`a ${era} client gets no cause of an internal error, and the log gets it`, async (t) => {
    const { url, log } = await startTestGateway(t);
    const { call } = await connect(t, era, { url });
    await assert.rejects(call('failing', { code: 'bug' }), (thrown: Error & { code: number }) => {
      assert.equal(thrown.code, -32_603);
      assert.doesNotMatch(JSON.stringify([thrown.message, thrown]), /hunter2/);
      return true;
    });
    assert.ok(
      log.lines.some(({ event, fields }) => event === 'request.failed' && String(fields['cause']).includes('hunter2')),
    );
  });

  test(`a ${era} client sees progress that only rises and stops at the end`, async (t) => {
    const { url, runs, clock } = await startTestGateway(t);
    const { call } = await connect(t, era, { url });
    const seen: Progress[] = [];
    const answer = call('slow', { key: 'p' }, { onprogress: (progress) => seen.push(progress) });
    const held = await runs.heldCall('p');
    for (const percent of [10, 30, 20, 60]) {
      clock.ms += 1000;
      held.emit({ kind: 'progress', percent, message: `at ${percent}` });
    }
    clock.ms += 1000;
    held.emit({ kind: 'finding', message: 'port 22' });
    await until(() => seen.length === 5);
    held.finish('done');
    held.emit({ kind: 'progress', percent: 99 });
    await answer;
    const values = seen.map(({ progress }) => progress);
    assert.equal(values.length, 5);
    assert.deepEqual(
      values,
      [...new Set(values)].sort((a, b) => a - b),
    );
    assert.equal(seen[0]?.message, 'at 10');
  });

  test(`a ${era} client that cancels ends the run`, async (t) => {
    const { url, runs, app } = await startTestGateway(t);
    const { call } = await connect(t, era, { url });
    const abort = new AbortController();
    const answer = call('slow', { key: 'c' }, { signal: abort.signal });
    const held = await runs.heldCall('c');
    abort.abort('enough');
    await assert.rejects(answer);
    await until(() => held.aborted);
    await until(() => app.mcpCounts().calls === 0 && app.mcpCounts().inFlight === 0);
  });

  test(`a ${era} client is told when the list of tools became another one`, async (t) => {
    const { url, registry } = await startTestGateway(t);
    const { client } = await connect(t, era, { url });
    const told: string[] = [];
    if (era === '2025-11-25') {
      (client as { fallbackNotificationHandler?: unknown }).fallbackNotificationHandler = async () => {
        told.push('changed');
      };
      await client.ping();
    } else {
      const newer = client as Awaited<ReturnType<typeof connectModern>>['client'];
      newer.setNotificationHandler('notifications/tools/list_changed', () => {
        told.push('changed');
      });
      await newer.listen({ toolsListChanged: true });
    }
    while (told.length === 0) {
      registry.setEnabled('echo', !registry.get('echo').enabled);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    registry.setEnabled('echo', false);
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map(({ name }) => name),
      ['big', 'failing', 'slow'],
    );
  });
}

test('a 2025-11-25 client pages through a long list with cursors', async (t) => {
  const { url } = await startTestGateway(t, { pageSize: 3 });
  const { client } = await connectLegacy(t, url);
  const first = await client.listTools();
  const second = await client.listTools({ cursor: first.nextCursor });
  assert.deepEqual(
    [...first.tools, ...second.tools].map(({ name }) => name),
    ['big', 'echo', 'failing', 'slow'],
  );
  assert.equal(second.nextCursor, undefined);
});

test('a 2026-07-28 client is given every page by its own cursor', async (t) => {
  const { url } = await startTestGateway(t, { pageSize: 3 });
  const { client } = await connectModern(t, url);
  const { tools } = await client.listTools();
  assert.equal(tools.length, 4);
});

test('the newer client works in every way in which it may choose the era', async (t) => {
  const { url, metrics } = await startTestGateway(t);
  for (const mode of ['auto', 'legacy'] as const) {
    const { client } = await connectModern(t, url, { mode });
    const { content } = await client.callTool({ name: 'echo', arguments: { message: mode } });
    assert.match(JSON.stringify(content), new RegExp(mode));
  }
  assert.equal(metrics.counts.get('sallyport_mcp_requests_total modern tools/call'), 1);
  assert.equal(metrics.counts.get('sallyport_mcp_requests_total legacy tools/call'), 1);
});

test('the newer era says that its list may be kept for a moment, and by this client alone', async (t) => {
  const { url } = await startTestGateway(t);
  const { body, headers } = modern(1, 'tools/list');
  const response = await post(url, body, headersOf('alice', headers));
  const { result } = (await response.json()) as { result: { ttlMs: number; cacheScope: string } };
  assert.equal(result.ttlMs, 5000);
  assert.equal(result.cacheScope, 'private');
});
