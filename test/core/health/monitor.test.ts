import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Value } from '@sinclair/typebox/value';
import { FormatRegistry } from '@sinclair/typebox';
import { type CheckPriority, HealthReportSchema } from '../../../schemas/health.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import {
  type CheckResult,
  createHealthMonitor,
  type HealthCheck,
  type HealthMonitor,
} from '../../../src/core/health/monitor.ts';
import type { Recorder } from '../../../src/core/metrics/table.ts';

FormatRegistry.Set('date-time', (text) => !Number.isNaN(Date.parse(text)));

const open: HealthMonitor[] = [];
afterEach(() => {
  for (const monitor of open.splice(0)) monitor.stop();
});

const ok: CheckResult = { ok: true, message: 'fine' };
const bad: CheckResult = { ok: false, message: 'broken' };

function check(name: string, priority: CheckPriority, run: HealthCheck['run'] = async () => ok): HealthCheck {
  return { name, priority, run };
}

function setup(checks: readonly HealthCheck[], times: { timeoutMs?: number; intervalMs?: number } = {}) {
  const clock = { time: 1_000_000, now: () => clock.time, monotonic: () => clock.time };
  const gauges = new Map<string, number>();
  const events: string[] = [];
  const recorder: Recorder = {
    count: () => undefined,
    observe: () => undefined,
    gauge: (name, labels, value) => void gauges.set(`${name} ${Object.values(labels).join(' ')}`.trim(), value),
  };
  const note = (event: string, fields?: Record<string, unknown>) =>
    void events.push(`${event} ${String(fields?.['status'])}`);
  const log = { info: note, warn: note, error: note };
  const monitor = createHealthMonitor({
    checks,
    clock,
    recorder,
    log,
    intervalMs: 60_000,
    timeoutMs: 1000,
    staleAfterMs: 120_000,
    ...times,
  });
  open.push(monitor);
  const states = () => Object.fromEntries(monitor.report().checks.map(({ name, state }) => [name, state]));
  return { monitor, clock, gauges, events, states };
}

test('before the first round nothing is believed to be well', () => {
  const { monitor } = setup([check('store', 'critical'), check('tools', 'informational')]);
  assert.equal(monitor.report().status, 'unhealthy');
  assert.deepEqual(monitor.ready(), { ready: false, reasons: ['store', 'tools'] });
});

test('a failing check weighs by its priority: unhealthy, degraded, nothing', async () => {
  for (const [priority, status, ready] of [
    ['critical', 'unhealthy', false],
    ['important', 'degraded', true],
    ['informational', 'healthy', true],
  ] as const) {
    const { monitor } = setup([check('a', 'critical'), check('b', priority, async () => bad)]);
    await monitor.start();
    const report = monitor.report();
    assert.deepEqual([report.status, report.ready, monitor.ready().ready], [status, ready, ready], priority);
    assert.ok(Value.Check(HealthReportSchema, report));
  }
});

test('an expired result makes the gateway not ready, whatever its priority', async () => {
  const { monitor, clock, states } = setup([check('tools', 'informational')]);
  await monitor.start();
  clock.time += 120_000;
  assert.equal(monitor.ready().ready, true);
  clock.time += 1;
  assert.deepEqual(monitor.ready(), { ready: false, reasons: ['tools'] });
  assert.deepEqual(states(), { tools: 'stale' });
  await monitor.refresh();
  assert.equal(monitor.ready().ready, true);
});

test('a hanging check fails at its timeout, is told so by its signal, and never runs beside itself', async () => {
  const released = Promise.withResolvers<CheckResult>();
  const signals: AbortSignal[] = [];
  const hanging = check('hangs', 'important', (signal) => {
    signals.push(signal);
    return released.promise;
  });
  const { monitor, states } = setup([hanging, check('other', 'critical')], { timeoutMs: 20 });
  await monitor.start();
  assert.deepEqual(states(), { hangs: 'failing', other: 'passing' });
  assert.equal(signals[0]?.aborted, true);
  await monitor.refresh();
  await Promise.all([monitor.refresh(), monitor.refresh()]);
  assert.equal(signals.length, 1);
  released.resolve(ok);
  await new Promise((resolve) => setImmediate(resolve));
  // The late answer of the old run is not taken for the state of now.
  assert.equal(states()['hangs'], 'failing');
  await monitor.refresh();
  assert.equal(signals.length, 2);
  assert.equal(states()['hangs'], 'passing');
});

test('a second round joins a look that is still in time, and does not take it for hanging', async () => {
  const answer = Promise.withResolvers<CheckResult>();
  let looks = 0;
  const slow = check('slow', 'critical', () => {
    looks += 1;
    return answer.promise;
  });
  const { monitor, events } = setup([slow]);
  const rounds = [monitor.start(), monitor.refresh(), monitor.refresh()];
  answer.resolve(ok);
  await Promise.all(rounds);
  assert.equal(looks, 1);
  assert.deepEqual(events, ['health.changed healthy']);
});

test('a check that throws fails, and the text of a foreign error is not shown', async () => {
  const throwing = check('a', 'important', async () => {
    throw new Error('secret path /root/x');
  });
  const ours = check('b', 'important', () => {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store is gone.');
  });
  const { monitor } = setup([throwing, ours]);
  await monitor.start();
  const messages = monitor.report().checks.map(({ state, message }) => `${state} ${message}`);
  assert.deepEqual(messages, ['failing the check itself failed', 'failing The store is gone.']);
});

test('listeners, log and metrics learn of changes, and only of changes', async () => {
  let result = ok;
  const { monitor, events, gauges } = setup([check('a', 'critical', async () => result)]);
  const heard: string[] = [];
  const stop = monitor.onChange(({ status }) => heard.push(status));
  await monitor.start();
  await monitor.refresh();
  result = bad;
  await monitor.refresh();
  await monitor.refresh();
  assert.deepEqual(heard, ['healthy', 'unhealthy']);
  assert.deepEqual(events, ['health.changed healthy', 'health.changed unhealthy']);
  assert.equal(gauges.get('sallyport_health_state'), 2);
  assert.equal(gauges.get('sallyport_health_check_state a critical'), 1);
  stop();
  result = ok;
  await monitor.refresh();
  assert.equal(heard.length, 2);
});

test('rounds go on by themselves, at the configured interval, until the monitor is stopped', async () => {
  let rounds = 0;
  const third = Promise.withResolvers<undefined>();
  const counting = check('a', 'critical', async () => {
    rounds += 1;
    if (rounds === 3) third.resolve(undefined);
    return ok;
  });
  const { monitor } = setup([counting], { intervalMs: 3_600_000 });
  await monitor.start();
  const alive = setInterval(() => undefined, 1000);
  monitor.configure({ intervalMs: 5, timeoutMs: 1000, staleAfterMs: 1000 });
  await third.promise;
  clearInterval(alive);
  monitor.stop();
  assert.equal(monitor.report().checks[0]?.state, 'passing');
});

test('a report looks at nothing', async () => {
  let looks = 0;
  const { monitor } = setup([check('a', 'critical', async () => ((looks += 1), ok))]);
  await monitor.start();
  for (let count = 0; count < 100; count += 1) monitor.report();
  assert.equal(looks, 1);
});
