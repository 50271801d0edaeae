/*
 * Circuits and numbers tell the truth.
 * D29 a breaker that never opens, never closes, and that a client can open · D30 its race and its numbers
 * D31 counted twice, biased percentiles, labels with memory addresses
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { METRICS } from '../../src/core/metrics/table.ts';
import { createStats } from '../../src/core/stats/stats.ts';
import { echoTool, missingTool, sleepTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { headersOf, messagesOf, modern, post } from '../fixtures/mcp/clients.ts';
import { call, publicDirectory, startSix, textTool } from './earlier-gateway.ts';

interface Detail {
  readonly breaker: { readonly state: string; readonly failures: number };
}
interface ToolStats {
  readonly tool: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly durationMs: { readonly count: number };
}

const metricsOf = async ({ app, headers }: TestGateway) => (await app.inject({ url: '/metrics', headers })).body;
const breakerOf = async ({ app, headers }: TestGateway, tool: string) =>
  ((await app.inject({ url: `/v1/tools/${tool}`, headers })).json() as Detail).breaker;
const statsOf = async ({ app, headers }: TestGateway, tool: string) =>
  ((await app.inject({ url: '/v1/stats', headers })).json() as { tools: ToolStats[] }).tools.find(
    (entry) => entry.tool === tool,
  );

/** The samples of one metric: labels without quotes → value. */
function samples(text: string, name: keyof typeof METRICS): Readonly<Record<string, number>> {
  const lines = [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm'))];
  return Object.fromEntries(lines.map(([, labels = '', value]) => [labels.replaceAll('"', ''), Number(value)]));
}

test('a program that keeps failing opens its circuit, and the circuit closes again when the program is well', async (t) => {
  const file = join(publicDirectory(t), 'well');
  const flaky = textTool('flaky', 'cat', { argv: () => [file], needs: { read: [file] } });
  const yaml = 'tools: { flaky: { breakerFailures: 2, breakerOpenMs: 300, breakerMaxOpenMs: 300 } }\n';
  const gateway = await startTestGateway(t, { yaml, tools: [flaky, echoTool] });
  for (let failure = 0; failure < 2; failure += 1) assert.equal((await call(gateway, 'flaky', {})).status, 502);
  assert.equal((await breakerOf(gateway, 'flaky')).state, 'open');
  assert.equal(samples(await metricsOf(gateway), 'sallyport_breaker_state')['tool=flaky'], 2);
  writeFileSync(file, 'well', { mode: 0o644 });
  let rejected = 0;
  let answer = await call(gateway, 'flaky', {});
  for (; answer.code === 'ERR_TOOL_CIRCUIT_OPEN'; answer = await call(gateway, 'flaky', {})) {
    rejected += 1;
    await delay(20);
  }
  assert.equal(answer.status, 200, answer.text);
  for (let success = 0; success < 3; success += 1) assert.equal((await call(gateway, 'flaky', {})).status, 200);
  assert.deepEqual(await breakerOf(gateway, 'flaky'), { state: 'closed', failures: 0 });
  const text = await metricsOf(gateway);
  assert.equal(samples(text, 'sallyport_breaker_state')['tool=flaky'], 0);
  assert.deepEqual(samples(text, 'sallyport_breaker_transitions_total'), {
    'tool=flaky,from=closed,to=open': 1,
    'tool=flaky,from=open,to=half_open': 1,
    'tool=flaky,from=half_open,to=closed': 1,
  });
  const runs = samples(text, 'sallyport_runs_total');
  assert.equal(runs['tool=flaky,outcome=rejected,code=ERR_TOOL_CIRCUIT_OPEN'] ?? 0, rejected);
  assert.equal((await statsOf(gateway, 'flaky'))?.counts['rejected'], rejected);
});

test('an open circuit refuses with 503 and the time to wait, counts what it refuses, and leaves other tools alone', async (t) => {
  const failing = textTool('failing', 'cat', { argv: () => ['/nonexistent/file'] });
  const yaml = 'tools: { failing: { breakerFailures: 1, breakerOpenMs: 3600000, breakerMaxOpenMs: 3600000 } }\n';
  const gateway = await startTestGateway(t, { yaml, tools: [failing, echoTool] });
  assert.equal((await call(gateway, 'failing', {})).status, 502);
  for (let refused = 0; refused < 3; refused += 1) {
    const { status, code, text } = await call(gateway, 'failing', {});
    assert.deepEqual([status, code], [503, 'ERR_TOOL_CIRCUIT_OPEN']);
    assert.ok((JSON.parse(text) as { retryAfterMs: number }).retryAfterMs > 0);
  }
  assert.equal((await call(gateway, 'echo', { word: 'a' })).status, 200);
  const runs = samples(await metricsOf(gateway), 'sallyport_runs_total');
  assert.equal(runs['tool=failing,outcome=rejected,code=ERR_TOOL_CIRCUIT_OPEN'], 3);
  assert.equal(runs['tool=failing,outcome=failed,code=ERR_TOOL_FAILED'], 1);
});

test('no client can open a circuit: not by size, nonsense, foreign targets, impatience or leaving', async (t) => {
  const yaml = 'policy: { risk: intrusive }\ntools: { nmap: { breakerFailures: 1 } }\n';
  const gateway = await startSix(t, yaml);
  const long = Array.from({ length: 600 }, (_, index) => String(20_000 + index)).join(',');
  for (let round = 0; round < 5; round += 1) {
    for (const input of [
      { targets: ['10.0.0.5'], ports: long },
      { targets: ['x'.repeat(3000)] },
      { targets: ['10.0.0.5'], nonsense: 'a'.repeat(5000) },
      { targets: ['8.8.8.8'] },
      { targets: ['10.0.0.0/8'] },
      { targets: ['10.0.0.5', 'fd00::5'] },
      { targets: ['10.0.0.5'], scripts: ['http-shellshock'] },
      'not an object',
    ]) {
      const { run, code } = await call(gateway, 'nmap', input);
      assert.equal(run, undefined);
      assert.notEqual(code, 'ERR_TOOL_CIRCUIT_OPEN');
    }
  }
  assert.deepEqual(await breakerOf(gateway, 'nmap'), { state: 'closed', failures: 0 });
  assert.equal((await call(gateway, 'nmap', { targets: ['10.0.0.5'] })).status, 200);
  const impatient = await startTestGateway(t, {
    yaml: 'tools: { sleep: { breakerFailures: 1 } }\n',
    tools: [sleepTool],
  });
  const payload = { input: { seconds: 100 }, run: { timeoutMs: 1000 } };
  const answer = await impatient.app.inject({
    method: 'POST',
    url: '/v1/tools/sleep/runs',
    headers: impatient.headers,
    payload,
  });
  assert.equal(answer.statusCode, 504);
  assert.equal((await breakerOf(impatient, 'sleep')).state, 'closed');
});

test('every call is counted exactly once, whichever way it came and however it ended', async (t) => {
  const failing = textTool('failing', 'cat', { argv: () => ['/nonexistent/file'] });
  const yaml = 'tools: { failing: { breakerFailures: 100 } }\n';
  const gateway = await startTestGateway(t, { yaml, tools: [echoTool, failing, missingTool] });
  const url = new URL('/mcp', await gateway.app.listen({ host: '127.0.0.1', port: 0 }));
  const overMcp = async (name: string, args: object) => {
    const { body, headers } = modern(1, 'tools/call', { name, arguments: args });
    const key = gateway.headers.authorization.replace('Bearer ', '');
    await messagesOf(await post(url, body, headersOf(key, headers)));
  };
  for (let index = 0; index < 5; index += 1) {
    for (const [tool, input] of [
      ['echo', { word: 'a' }],
      ['echo', { word: '-a' }],
      ['failing', {}],
      ['missing', {}],
    ] as const) {
      await call(gateway, tool, input);
      await overMcp(tool, input);
    }
  }
  const text = await metricsOf(gateway);
  assert.deepEqual(samples(text, 'sallyport_runs_total'), {
    'tool=echo,outcome=succeeded,code=OK': 10,
    'tool=echo,outcome=refused,code=ERR_INPUT_INVALID': 10,
    'tool=failing,outcome=failed,code=ERR_TOOL_FAILED': 10,
    'tool=missing,outcome=failed,code=ERR_TOOL_UNAVAILABLE': 10,
  });
  const counts = await Promise.all(['echo', 'failing', 'missing'].map((tool) => statsOf(gateway, tool)));
  assert.deepEqual(
    counts.map((entry) => Object.values(entry?.counts ?? {}).reduce((sum, count) => sum + count, 0)),
    [20, 10, 10],
  );
  assert.deepEqual([counts[0]?.durationMs.count, counts[1]?.durationMs.count], [10, 10]);
  const active = samples(text, 'sallyport_runs_active');
  assert.deepEqual(new Set(Object.values(active)), new Set([0]));
  // Labels that named an object by its place in memory made a new series at every start.
  for (const line of text.split('\n').filter((each) => each.startsWith('sallyport_'))) {
    assert.doesNotMatch(line, /0x[0-9a-f]+|\[object|="\d{6,}"|at [0-9a-f]{8}/, line);
  }
});

test('percentiles follow all calls: a slow beginning does not stay for ever', () => {
  const stats = createStats();
  for (let index = 0; index < 1000; index += 1) stats.record('nmap', 'succeeded', 100_000);
  for (let index = 0; index < 5000; index += 1) stats.record('nmap', 'succeeded', 1000);
  const { count, p50, p99 } = stats.report('nmap').durationMs;
  assert.equal(count, 6000);
  assert.ok(p50 !== null && Math.abs(p50 - 1000) <= 10, `p50 ${p50}`);
  assert.ok(p99 !== null && Math.abs(p99 - 100_000) <= 1000, `p99 ${p99}`);
});

test('durations are measured beyond ten seconds, up to the longest run that is permitted', () => {
  const { buckets } = METRICS.sallyport_run_duration_seconds;
  assert.ok(buckets.filter((bound) => bound > 10).length >= 5);
  assert.equal(Math.max(...buckets), 3600);
});
