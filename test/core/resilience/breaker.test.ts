import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { breakCircuit, makeRig, settle, enter } from './rig.ts';

const OPEN = { code: 'ERR_TOOL_CIRCUIT_OPEN' };

void test('consecutive failures of the tool open its circuit, and the refusal says how long', async () => {
  const rig = makeRig();
  await breakCircuit(rig);
  rig.clock.advance(300);
  await assert.rejects(rig.call().result, { ...OPEN, retryAfterMs: 700 });
  assert.throws(() => rig.gate.check('a'), OPEN);
  assert.doesNotThrow(() => rig.gate.check('b'));
  assert.deepEqual(rig.gate.state('a').breaker, {
    state: 'open',
    failures: 3,
    retryAfterMs: 700,
    openUntil: 1_002_000,
  });
});

void test('a success in between starts the count again', async () => {
  const rig = makeRig();
  await breakCircuit(rig, 2);
  const good = rig.call();
  good.succeed();
  await good.result;
  await breakCircuit(rig, 2);
  assert.deepEqual(rig.gate.state('a').breaker, { state: 'closed', failures: 2 });
});

void test('a client’s mistake, a cancel or a refusal by policy never opens a circuit', async () => {
  const rig = makeRig();
  const harmless = [
    'ERR_INPUT_INVALID',
    'ERR_RUN_CANCELLED',
    'ERR_TARGET_OUT_OF_SCOPE',
    'ERR_TOOL_FAILED',
    'ERR_INTERNAL',
  ] as const;
  for (const code of [...harmless, ...harmless]) {
    const bad = rig.call();
    bad.fail(new SallyportError(code, 'x'));
    await assert.rejects(bad.result, { code });
  }
  const short = new SallyportError('ERR_TOOL_TIMEOUT', 'the caller’s own limit', { trips: false });
  const early = rig.call();
  early.fail(short);
  await assert.rejects(early.result, { code: 'ERR_TOOL_TIMEOUT' });
  assert.deepEqual(rig.gate.state('a').breaker, { state: 'closed', failures: 0 });
});

void test('unavailable, timeout and the tool’s own rule count', async () => {
  const rig = makeRig();
  const errors = [
    new SallyportError('ERR_TOOL_UNAVAILABLE', 'x'),
    new SallyportError('ERR_TOOL_TIMEOUT', 'x'),
    new SallyportError('ERR_TOOL_FAILED', 'x', { trips: true }),
  ];
  for (const error of errors) {
    const bad = rig.call();
    bad.fail(error);
    await assert.rejects(bad.result, error);
  }
  assert.equal(rig.gate.state('a').breaker.state, 'open');
});

void test('half-open lets exactly one probe through, and its success closes the circuit', async () => {
  const rig = makeRig({ tools: { a: { concurrency: 4 } } });
  await breakCircuit(rig);
  rig.clock.advance(1000);
  const probe = rig.call();
  await settle();
  assert.equal(probe.hasStarted(), true);
  assert.equal(rig.gate.state('a').breaker.state, 'half_open');
  await assert.rejects(rig.call().result, OPEN);
  probe.succeed();
  assert.equal(await probe.result, 'done');
  assert.deepEqual(rig.gate.state('a').breaker, { state: 'closed', failures: 0 });
});

void test('each failed probe doubles the time up to the top, and a success forgets it', async () => {
  const rig = makeRig();
  await breakCircuit(rig);
  const times: (number | undefined)[] = [];
  for (let round = 0; round < 4; round += 1) {
    const wait = rig.gate.state('a').breaker.retryAfterMs;
    times.push(wait);
    rig.clock.advance(wait ?? 0);
    await breakCircuit(rig, 1);
  }
  assert.deepEqual(times, [1000, 2000, 4000, 4000]);
  rig.clock.advance(4000);
  const probe = rig.call();
  probe.succeed();
  await probe.result;
  await breakCircuit(rig);
  assert.equal(rig.gate.state('a').breaker.retryAfterMs, 1000);
});

void test('jitter only ever shortens the time', async () => {
  const rig = makeRig({ random: 0.5 });
  await breakCircuit(rig);
  assert.equal(rig.gate.state('a').breaker.retryAfterMs, 900);
});

void test('a call from before the opening can neither close nor open the circuit during the probe (D30)', async () => {
  for (const end of ['succeed', 'fail'] as const) {
    const rig = makeRig({ tools: { a: { concurrency: 4 } } });
    const old = rig.call();
    await settle();
    await breakCircuit(rig);
    rig.clock.advance(1000);
    const probe = rig.call();
    await settle();
    old[end]();
    await old.result.catch(() => undefined);
    await settle();
    assert.equal(rig.gate.state('a').breaker.state, 'half_open', end);
    probe.succeed();
    await probe.result;
    assert.equal(rig.gate.state('a').breaker.state, 'closed');
  }
});

void test('a probe that its client withdrew neither closes the circuit nor keeps it half-open', async () => {
  const rig = makeRig();
  await breakCircuit(rig);
  rig.clock.advance(1000);
  const probe = rig.call();
  await settle();
  probe.fail(new SallyportError('ERR_RUN_CANCELLED', 'x'));
  await assert.rejects(probe.result, { code: 'ERR_RUN_CANCELLED' });
  assert.equal(rig.gate.state('a').breaker.state, 'open');
  assert.equal(rig.gate.state('a').breaker.retryAfterMs, 0);
  const next = rig.call();
  next.succeed();
  assert.equal(await next.result, 'done');
  assert.equal(rig.gate.state('a').breaker.state, 'closed');
});

void test('an open circuit refuses before the line, and whoever waited is asked again', async () => {
  const rig = makeRig();
  await breakCircuit(rig, 2);
  const last = rig.call();
  const waiting = rig.call();
  await settle();
  assert.equal(rig.gate.state('a').queued, 1);
  last.fail();
  await assert.rejects(waiting.result, OPEN);
  assert.equal(waiting.hasStarted(), false);
  await assert.rejects(rig.call().result, OPEN);
  assert.deepEqual([rig.gate.state('a').active, rig.gate.state('a').queued], [0, 0]);
});

void test('a work that throws at once is judged like one that rejects', async () => {
  const rig = makeRig();
  await breakCircuit(rig);
  rig.clock.advance(1000);
  const throws = enter(rig.gate, { tool: 'a' }, () => {
    throw new SallyportError('ERR_TOOL_UNAVAILABLE', 'x');
  });
  await assert.rejects(throws, { code: 'ERR_TOOL_UNAVAILABLE' });
  assert.equal(rig.gate.state('a').breaker.retryAfterMs, 2000);
});

void test('each transition is counted once and told to listeners', async () => {
  const rig = makeRig();
  const told: string[] = [];
  const stop = rig.gate.onChange((tool) => told.push(`${tool} ${rig.gate.state(tool).breaker.state}`));
  await breakCircuit(rig);
  rig.clock.advance(1000);
  const probe = rig.call();
  probe.succeed();
  await probe.result;
  stop();
  await breakCircuit(rig);
  const counted = rig.recorded.filter((line) => line.startsWith('sallyport_breaker_transitions_total'));
  assert.deepEqual(
    counted.map((line) => /"from":"(\w+)","to":"(\w+)"/.exec(line)?.slice(1).join('>')),
    ['closed>open', 'open>half_open', 'half_open>closed', 'closed>open'],
  );
  assert.deepEqual(told, ['a open', 'a half_open', 'a closed']);
});

void test('a new limit of failures applies to the circuit as it stands', async () => {
  const rig = makeRig();
  await breakCircuit(rig, 1);
  rig.gate.reconfigure('a', {
    concurrency: 1,
    maxQueued: 2,
    breakerFailures: 2,
    breakerOpenMs: 500,
    breakerMaxOpenMs: 500,
  });
  await breakCircuit(rig, 1);
  assert.equal(rig.gate.state('a').breaker.retryAfterMs, 500);
});
