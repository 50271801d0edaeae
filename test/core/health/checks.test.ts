import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import {
  circuitsClosed,
  confinementWorks,
  configurationInForce,
  diskFree,
  eventLoopLag,
  layersProved,
  memoryUse,
  storeWritable,
  toolsAvailable,
} from '../../../src/core/health/checks.ts';
import type { HealthCheck } from '../../../src/core/health/monitor.ts';

const run = async (check: HealthCheck) => (await check.run(new AbortController().signal)).ok;

test('the store check fails with its probe', async () => {
  assert.equal(await run(storeWritable(async () => undefined)), true);
  const broken = storeWritable(async () => {
    throw new Error('read-only');
  });
  await assert.rejects(run(broken));
  assert.equal(broken.priority, 'critical');
});

test('the lag is that of the interval since the last look, and an unreadable one fails', async () => {
  let lagNs = 5e6;
  let resets = 0;
  const gauges: number[] = [];
  const check = eventLoopLag({
    histogram: { percentile: () => lagNs, reset: () => (resets += 1) },
    maxMs: () => 100,
    recorder: {
      count: () => undefined,
      observe: () => undefined,
      gauge: (_name, _labels, value) => void gauges.push(value),
    },
  });
  assert.equal(await run(check), true);
  lagNs = 100e6;
  assert.equal(await run(check), false);
  lagNs = Number.NaN;
  assert.equal(await run(check), false);
  assert.equal(resets, 3);
  assert.deepEqual(gauges.slice(0, 2), [0.005, 0.1]);
  assert.equal(check.priority, 'critical');
});

test('a full disk and full memory degrade; a missing directory fails', async () => {
  assert.equal(await run(diskFree(tmpdir(), () => 0)), true);
  assert.equal(await run(diskFree(tmpdir(), () => Number.MAX_SAFE_INTEGER)), false);
  await assert.rejects(run(diskFree('/nowhere/at/all', () => 0)));
  assert.equal(await run(memoryUse({ usedBytes: () => 90, limitBytes: 100 })), true);
  assert.equal(await run(memoryUse({ usedBytes: () => 91, limitBytes: 100 })), false);
  assert.equal(diskFree('/', () => 0).priority, 'important');
});

test('a rejected configuration and one that waits for a restart are told with their keys, not their values', async () => {
  let status: { faults: { key: string; from: string; wrong: string; right: string }[]; needsRestart: string[] };
  status = { faults: [], needsRestart: [] };
  const check = configurationInForce(() => status);
  assert.equal(await run(check), true);
  status = { faults: [], needsRestart: ['port'] };
  assert.deepEqual((await check.run(new AbortController().signal)).data, { needsRestart: ['port'] });
  status = { faults: [{ key: 'port', from: 'c.yaml:1', wrong: 'w', right: 'r' }], needsRestart: ['port'] };
  assert.deepEqual((await check.run(new AbortController().signal)).data, {
    faults: [{ key: 'port', from: 'c.yaml:1', wrong: 'w' }],
  });
  assert.equal(check.priority, 'important');
});

test('missing tools inform, open circuits degrade, missing layers stop', async () => {
  const tools = toolsAvailable(() => [
    { name: 'nmap', available: true },
    { name: 'dig', available: false },
  ]);
  assert.deepEqual(await tools.run(new AbortController().signal), {
    ok: false,
    message: 'some tools are missing',
    data: { available: 1, missing: ['dig'] },
  });
  assert.equal(tools.priority, 'informational');
  assert.equal(await run(toolsAvailable(() => [])), true);
  assert.equal(await run(circuitsClosed(() => ['nmap'])), false);
  assert.equal(await run(circuitsClosed(() => [])), true);
  assert.equal(circuitsClosed(() => []).priority, 'important');
  assert.equal(await run(layersProved(() => ['L1'])), false);
  assert.equal(await run(layersProved(() => [])), true);
  assert.equal(layersProved(() => []).priority, 'critical');
});

test('a confinement that could not be set up is told by its code until it could again', async () => {
  let fault: { code: string; message: string } | undefined;
  const check = confinementWorks(() => fault);
  assert.equal(await run(check), true);
  fault = { code: 'HELPER_MISSING', message: '/usr/bin/bwrap cannot be executed any more' };
  const found = await check.run(new AbortController().signal);
  assert.deepEqual([found.ok, found.data], [false, { code: 'HELPER_MISSING' }]);
  fault = undefined;
  assert.equal(await run(check), true);
  assert.equal(check.priority, 'important');
});
