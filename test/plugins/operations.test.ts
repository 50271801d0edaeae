import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { InjectOptions } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { METRICS } from '../../src/core/metrics/table.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

test('health shows its checks to holders of the scope and a bare status to others', async (t) => {
  const { app, headers } = await startTestGateway(t);
  const bare = (await app.inject({ url: '/health' })).json() as object;
  assert.deepEqual(Object.keys(bare), ['status']);
  const whole = (await app.inject({ url: '/health', headers })).json() as {
    status: string;
    checks: { name: string; state: string; priority: string }[];
  };
  assert.equal(whole.status, 'healthy');
  const tools = whole.checks.find((check) => check.name === 'tools');
  assert.deepEqual(
    [tools?.state, tools?.priority],
    ['failing', 'informational'],
    'a missing tool is told and changes nothing',
  );
  assert.equal(
    (await app.inject({ url: '/health', headers: { authorization: 'Bearer wrong-wrong-wrong' } })).statusCode,
    401,
  );
});

test('every metric of the table is exposed or waits for its first event, and nothing else is', async (t) => {
  const { app, headers } = await startTestGateway(t);
  await app.inject({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word: 'x' } } });
  await app.inject({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word: '-x' } } });
  const text = (await app.inject({ url: '/metrics', headers })).body;
  for (const name of Object.keys(METRICS)) assert.match(text, new RegExp(`# TYPE ${name} `), name);
  const ours = [...text.matchAll(/^# TYPE (sallyport_\w+) /gm)].map((match) => match[1]);
  const unknown = ours.filter((name) => !(name ?? '' in METRICS) && !Object.hasOwn(METRICS, name ?? ''));
  assert.deepEqual(
    unknown,
    ['sallyport_http_request_duration_seconds'].filter((name) => unknown.includes(name)),
  );
  assert.match(text, /sallyport_runs_total\{tool="echo",outcome="succeeded",code="OK"\} 1\n/, 'a call is counted once');
  assert.match(text, /sallyport_refusals_total\{tool="echo",rule="input.schema",code="ERR_INPUT_INVALID"\} 1\n/);
  assert.match(text, /sallyport_run_duration_seconds_bucket\{le="3600",tool="echo",outcome="succeeded"\} 1\n/);
  assert.match(text, /sallyport_build_info\{version="0.0.0-test"/);
});

test('label values are closed sets: a caller cannot make new series', async (t) => {
  const { app, headers, gateway } = await startTestGateway(t);
  const count = async () =>
    (await app.inject({ url: '/metrics', headers })).body.split('\n').filter((line) => line.startsWith('sallyport_'))
      .length;
  const ask = async (round: number) => {
    await app.inject({ method: 'POST', url: `/v1/tools/made-up-${round}/runs`, headers, payload: { input: {} } });
    await app.inject({ url: `/nowhere/${round}`, headers });
    await app.inject({
      method: 'POST',
      url: '/mcp',
      headers: { ...headers, accept: 'application/json, text/event-stream' },
      payload: { jsonrpc: '2.0', id: 1, method: `made/up-${round}` },
    });
  };
  await ask(0);
  // Behind what the gateway notes by itself: the key that it has seen.
  await gateway.permission.audit.append({ type: 'config.applied' });
  await count();
  const before = await count();
  for (let round = 1; round < 6; round += 1) await ask(round);
  assert.equal(await count(), before);
});

test('statistics come from real histograms and tell refusals from failures', async (t) => {
  const { app, headers } = await startTestGateway(t);
  for (let call = 0; call < 3; call += 1) {
    await app.inject({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word: 'x' } } });
  }
  await app.inject({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: {} } });
  const stats = (await app.inject({ url: '/v1/stats', headers })).json() as {
    tools: {
      tool: string;
      counts: Record<string, number>;
      successRate: number;
      durationMs: { count: number; p50: number; p99: number };
    }[];
  };
  const echo = stats.tools.find((entry) => entry.tool === 'echo');
  assert.deepEqual([echo?.counts['succeeded'], echo?.counts['refused'], echo?.successRate], [3, 1, 1]);
  assert.equal(echo?.durationMs.count, 3);
  assert.ok((echo?.durationMs.p50 ?? 0) <= (echo?.durationMs.p99 ?? -1));
});

test('a changed configuration file applies as a whole; an invalid one changes nothing and shows in health and log', async (t) => {
  const { app, gateway, configFile, headers, logLines } = await startTestGateway(t, {
    yaml: 'policy: { risk: active }\nport: 0\n',
  });
  const status = async () => ((await app.inject({ url: '/health', headers })).json() as { status: string }).status;
  writeFileSync(configFile, 'policy: { risk: exploit }\nport: 0\ntools: { echo: { enabled: false } }\n');
  await until(() => gateway.config().policy.risk === 'exploit');
  assert.equal(gateway.registry.get('echo').enabled, false);
  writeFileSync(configFile, 'policy: { risk: nonsense }\nport: 0\ntools: { echo: { enabled: true } }\n');
  await until(async () => (await status()) === 'degraded');
  assert.equal(gateway.config().policy.risk, 'exploit');
  assert.equal(gateway.registry.get('echo').enabled, false);
  assert.ok(logLines.some((line) => line.includes('config.rejected')));
  writeFileSync(configFile, 'policy: { scope: { allow: ["10.0.0.1/8"] } }\nport: 0\n');
  gateway.reload();
  assert.notDeepEqual(
    gateway.config().policy.scope.allow,
    ['10.0.0.1/8'],
    'what only the policy can judge is judged too',
  );
  writeFileSync(configFile, 'policy: { risk: observe }\nport: 0\n');
  await until(async () => gateway.config().policy.risk === 'observe' && (await status()) === 'healthy');
});

test('the configuration in force is shown to admins only, and holds no secret', async (t) => {
  const { app, headers, key } = await startTestGateway(t);
  const shown = await app.inject({ url: '/v1/config', headers });
  assert.equal((shown.json() as { policy: { risk: string } }).policy.risk, 'active');
  const agent = { authorization: `Bearer ${await key(['tools:read', 'runs:execute'])}` };
  assert.equal((await app.inject({ url: '/v1/config', headers: agent })).statusCode, 403);
});

test('planted secrets appear in no channel: raw, base64 or URL-encoded', async (t) => {
  const fixture = await startTestGateway(t);
  const { app, logLines } = fixture;
  const key = await fixture.key();
  const headers = { authorization: `Bearer ${key}` };
  const secret = 'Hunter2/correct+horse%battery';
  const spellings = (text: string) => [text, Buffer.from(text).toString('base64'), encodeURIComponent(text)];
  const seen: string[] = [];
  const keep = async (request: InjectOptions) => void seen.push((await app.inject(request)).body);
  await keep({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word: secret, keep: true } } });
  for (const word of [secret, Buffer.from(secret).toString('base64'), encodeURIComponent(secret)]) {
    await keep({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word } } });
  }
  for (const word of spellings(key)) {
    await keep({ method: 'POST', url: '/v1/tools/echo/runs', headers, payload: { input: { word } } });
    await keep({ url: `/v1/tools/${encodeURIComponent(word)}`, headers });
    await keep({
      url: `/nowhere?key=${encodeURIComponent(word)}`,
      headers: { ...headers, referer: word, 'user-agent': word },
    });
  }
  for (const url of ['/v1/config', '/v1/stats', '/metrics', '/health', '/v1/tools', '/openapi.json'])
    await keep({ url, headers });
  const channels = { answers: seen.join('\n'), log: logLines.join('\n') };
  for (const [channel, text] of Object.entries(channels)) {
    for (const spelling of [...spellings(secret), ...spellings(key)]) {
      assert.ok(!text.includes(spelling), `${channel} shows ${spelling.slice(0, 12)}…`);
    }
  }
});

test('a key that a caller sends as a tool name over MCP is not echoed', async (t) => {
  const fixture = await startTestGateway(t);
  const key = await fixture.key();
  const answer = await fixture.app.inject({
    method: 'POST',
    url: '/mcp',
    headers: {
      authorization: `Bearer ${key}`,
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': key,
    },
    payload: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: key,
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    },
  });
  assert.match(answer.body, /-32602/);
  assert.ok(!answer.body.includes(key), answer.body);
});
