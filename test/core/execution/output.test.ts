import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExecutionLimits } from '../../../src/core/execution/types.ts';
import { type Bench, LIMITS, scriptNeeds, sharedBench } from './harness.ts';

const GIB = 1_073_741_824;
const isNightly = process.env['SALLYPORT_TEST_NIGHTLY'] !== undefined;
/** Growth of the whole process allowed while gigabytes pass through it. */
const GROWTH_LIMIT_BYTES = 134_217_728;

async function flood(bench: Bench, bytes: number, limits: Partial<ExecutionLimits>) {
  let passed = 0;
  let peak = 0;
  const before = process.memoryUsage.rss();
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 10);
  const startedAt = performance.now();
  const execution = await bench.executor.run(
    {
      runId: 'flood',
      binary: bench.fake('flood'),
      argv: [String(bytes)],
      timeoutMs: 300_000,
      capability: 'none',
      needs: scriptNeeds(bench.directory),
      reach: { endpoints: [] },
      limits: { ...LIMITS, stdoutBytes: 65_536, ...limits },
    },
    {
      onStdout: (chunk) => {
        passed += chunk.length;
      },
      onStderr: () => undefined,
      signal: new AbortController().signal,
    },
  );
  clearInterval(watch);
  return { ...execution, passed, growth: Math.max(0, peak - before), ms: performance.now() - startedAt };
}

describe('output', () => {
  const bench = sharedBench();

  test('a flood of 10 GB is ended at the cap, in bounded memory', async (t) => {
    const ran = await flood(bench(), 10 * GIB, { atStdoutCap: 'kill' });
    t.diagnostic(`${(ran.growth / 1e6).toFixed(0)} MB more, ${ran.ms.toFixed(0)} ms`);
    assert.equal(ran.ending, 'output_cap');
    assert.equal(ran.passed, 65_536);
    assert.equal(ran.stdout.truncated, true);
    assert.ok(ran.stdout.bytes < GIB);
    assert.ok(ran.growth < GROWTH_LIMIT_BYTES, `${ran.growth}`);
  });

  test('a flood is drained to its end in bounded memory when the tool may go on', async (t) => {
    const bytes = (isNightly ? 10 : 1) * GIB;
    const ran = await flood(bench(), bytes, { atStdoutCap: 'truncate' });
    t.diagnostic(`${bytes / GIB} GiB: ${(ran.growth / 1e6).toFixed(0)} MB more, ${ran.ms.toFixed(0)} ms`);
    assert.equal(ran.ending, 'exited');
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.passed, 65_536);
    assert.deepEqual(ran.stdout, { bytes, truncated: true });
    assert.ok(ran.growth < GROWTH_LIMIT_BYTES, `${ran.growth}`);
  });

  test('standard error is drained beyond its cap', async () => {
    const { run, fake } = bench();
    const ran = await run({ binary: fake('flood'), argv: ['5000000', 'stderr'], limits: { stderrBytes: 1000 } });
    assert.equal(ran.ending, 'exited');
    assert.equal(ran.err.length, 1000);
    assert.deepEqual(ran.stderr, { bytes: 5_000_000, truncated: true });
  });

  test('output of exactly the cap is not truncated', async () => {
    const { run, fake } = bench();
    const ran = await run({ binary: fake('flood'), argv: ['1000'], limits: { stdoutBytes: 1000 } });
    assert.equal(ran.ending, 'exited');
    assert.deepEqual(ran.stdout, { bytes: 1000, truncated: false });
  });

  test('output in tiny writes is whole and in order', async () => {
    const { run, fake } = bench();
    const ran = await run({ binary: fake('trickle'), argv: ['20000'], timeoutMs: 3000 });
    assert.equal(ran.ending, 'timed_out');
    assert.equal(ran.out, 'ab'.repeat(20_000));
  });

  test('everything written before a normal end arrives', async () => {
    const { run, fake } = bench();
    const ran = await run({ binary: fake('flood'), argv: ['1000000'] });
    assert.equal(ran.out.length, 1_000_000);
  });
});
