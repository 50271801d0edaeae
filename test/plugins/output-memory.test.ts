import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { defineTool } from '../../src/core/tool/definition.ts';
import type { Run } from '../../schemas/run-record.ts';
import { startTestGateway } from '../fixtures/gateway.ts';

const RUNS = 50;
const BYTES_EACH = 40_000_000;
/** One tool has sixteen places at most: four of them have room for all. */
const NAMES = ['flood_a', 'flood_b', 'flood_c', 'flood_d'];
/** All of them together write two gigabytes; what is kept of them is 400 MB before compression. */
const MOST_GROWTH = 500_000_000;

/** A real program that writes without end but for its count, and goes on when its cap is met. */
const floodTool = defineTool({
  name: 'flood',
  title: 'Write a lot',
  description: 'Writes zeros.',
  binary: 'head',
  debianPackage: 'coreutils',
  risk: 'observe',
  timeoutMs: 120_000,
  maxTimeoutMs: 120_000,
  concurrency: 16,
  maxConcurrency: 16,
  limits: { maxAddresses: 1, maxPorts: 0 },
  atStdoutCap: 'truncate',
  // What it writes.
  needs: { read: ['/dev/zero'] },
  input: Type.Object({}, { additionalProperties: false }),
  output: Type.Object({ bytes: Type.Integer() }, { additionalProperties: false }),
  targets: () => [],
  grammar: { options: { '-c': 'integer' }, operands: /^\/dev\/zero$/ },
  argv: () => ['-c', String(BYTES_EACH), '/dev/zero'],
  parse: () => {
    let bytes = 0;
    return {
      stdout: (chunk) => {
        bytes += chunk.length;
      },
      end: () => ({ result: { bytes }, complete: true }),
    };
  },
  findings: () => [],
  coverage: () => ({ areas: [], missing: [] }),
  probe: { argv: ['--version'], version: /coreutils\) (\S+)/ },
  examples: [{ title: 'all of it', input: {}, argv: ['-c', String(BYTES_EACH), '/dev/zero'] }],
});

test(`${RUNS} runs that flood at once leave the memory flat, and what is kept of each is told exactly`, async (t) => {
  const { app, headers } = await startTestGateway(t, {
    tools: NAMES.map((name) => ({ ...floodTool, name })),
    yaml: `execution: { maxConcurrentRuns: ${RUNS} }\n`,
  });
  const before = process.memoryUsage.rss();
  let most = before;
  const looking = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 5);
  const call = (at: number) =>
    app.inject({
      method: 'POST',
      url: `/v1/tools/${NAMES[at % NAMES.length]}/runs`,
      headers,
      payload: { input: {}, run: { waitMs: 600_000 } },
    });
  const answers = await Promise.all(Array.from({ length: RUNS }, (_none, at) => call(at)));
  clearInterval(looking);
  t.diagnostic(`${RUNS} × ${BYTES_EACH} bytes: grew by ${((most - before) / 1e6).toFixed(0)} MB`);
  for (const answer of answers) assert.equal(answer.statusCode, 200, answer.body);
  const { runs } = (await app.inject({ url: `/v1/runs?limit=${RUNS}`, headers })).json() as { runs: Run[] };
  assert.equal(runs.length, RUNS);
  for (const { stdout } of runs) {
    assert.deepEqual([stdout.truncated, stdout.keptBytes], [true, 8 * 1_048_576]);
    assert.ok(stdout.bytes > stdout.keptBytes);
  }
  assert.ok(most - before < MOST_GROWTH, `it grew by ${most - before} bytes`);
});
