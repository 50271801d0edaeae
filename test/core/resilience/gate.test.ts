import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, asyncProperty, assert as assertProperty, constantFrom, nat, record } from 'fast-check';
import { type Call, enter, LIMITS, makeRig, settle } from './rig.ts';

const BUSY = { code: 'ERR_TOOL_BUSY' };

void test('a call gets its place at once when there is one', async () => {
  const rig = makeRig();
  const queuedMs = await enter(rig.gate, { tool: 'a' }, async (admission) => admission.queuedMs);
  assert.equal(queuedMs, 0);
  assert.equal(rig.gate.state('a').active, 0);
});

void test('calls wait in order and learn how long they waited', async () => {
  const rig = makeRig();
  const order: string[] = [];
  const first = rig.call();
  const waits = ['second', 'third'].map((name) =>
    enter(rig.gate, { tool: 'a' }, async ({ queuedMs }) => void order.push(`${name} ${queuedMs}`)),
  );
  await settle();
  rig.clock.advance(250);
  first.succeed();
  await Promise.all([first.result, ...waits]);
  assert.deepEqual(order, ['second 250', 'third 250']);
});

void test('a full line is an honest refusal with a time', async () => {
  const rig = makeRig();
  const calls = [rig.call(), rig.call(), rig.call()];
  await settle();
  await assert.rejects(rig.call().result, { ...BUSY, status: 503, retryAfterMs: 3000 });
  for (const call of calls) call.succeed();
  await Promise.all(calls.map(({ result }) => result));
});

void test('owners take turns: a thousand calls of one principal do not keep another from its turn', async () => {
  const rig = makeRig({ tools: { a: { maxQueued: 2000 } }, process: { maxQueuedRuns: 2000 } });
  const order: string[] = [];
  const first = rig.call();
  const call = (owner: string) => enter(rig.gate, { tool: 'a', owner }, async () => void order.push(owner));
  const many = Array.from({ length: 1000 }, () => call('flood'));
  const others = [call('quiet'), call('other'), call('quiet')];
  await settle();
  first.succeed();
  await Promise.all([first.result, ...many, ...others]);
  assert.deepEqual(order.slice(0, 6), ['flood', 'quiet', 'other', 'flood', 'quiet', 'flood']);
  assert.equal(order.length, 1003);
});

void test('a line that is full of one principal still has a place for each other one, and none where nobody may wait', async () => {
  const rig = makeRig();
  const first = rig.call();
  const call = (owner: string) => enter(rig.gate, { tool: 'a', owner }, async () => owner);
  const waiting = [call('flood'), call('flood'), call('quiet')];
  await assert.rejects(call('flood'), BUSY);
  await assert.rejects(call('quiet'), BUSY);
  first.succeed();
  assert.deepEqual(await Promise.all(waiting), ['flood', 'flood', 'quiet']);
  const none = makeRig({ tools: { a: { maxQueued: 0 } } });
  const running = none.call();
  await assert.rejects(
    enter(none.gate, { tool: 'a', owner: 'quiet' }, async () => 'x'),
    BUSY,
  );
  running.succeed();
  await running.result;
});

void test('whoever was admitted and leaves gives the place back, held or waited for', async () => {
  const rig = makeRig();
  const held = rig.gate.admit('a', { signal: new AbortController().signal, owner: 'one' });
  const waiting = rig.gate.admit('a', { signal: new AbortController().signal, owner: 'two' });
  assert.deepEqual([rig.gate.state('a').active, rig.gate.state('a').queued], [1, 1]);
  waiting.leave();
  await settle();
  assert.equal(rig.gate.state('a').queued, 0);
  held.leave();
  held.leave();
  await settle();
  assert.equal(rig.gate.state('a').active, 0);
  assert.equal(await enter(rig.gate, { tool: 'a' }, async () => 'in'), 'in');
});

void test('an aborted call leaves the line at once and frees its place in it', async () => {
  const rig = makeRig();
  const running = rig.call();
  const abort = new AbortController();
  const leaving = rig.call('a', abort.signal);
  const staying = rig.call();
  await settle();
  await assert.rejects(rig.call().result, BUSY);
  abort.abort();
  assert.equal(rig.gate.state('a').queued, 1);
  await assert.rejects(leaving.result, { code: 'ERR_RUN_CANCELLED' });
  const next = rig.call();
  assert.equal(rig.gate.state('a').queued, 2);
  for (const call of [running, staying, next]) call.succeed();
  await Promise.all([running.result, staying.result, next.result]);
  assert.equal(leaving.hasStarted(), false);
});

void test('a call that is already aborted takes nothing', async () => {
  const rig = makeRig();
  await assert.rejects(rig.call('a', AbortSignal.abort()).result, { code: 'ERR_RUN_CANCELLED' });
  assert.deepEqual([rig.gate.state('a').active, rig.gate.state('a').queued], [0, 0]);
});

void test('an abort in the turn in which the place comes starts nothing and gives it back', async () => {
  const rig = makeRig();
  const running = rig.call();
  const abort = new AbortController();
  const waiting = rig.call('a', abort.signal);
  await settle();
  // The gauge of the line moves when the place is given, before the waiting call goes on.
  const push = rig.recorded.push.bind(rig.recorded);
  rig.recorded.push = (line) => {
    if (line === 'sallyport_queue_depth{"tool":"a"} 0') abort.abort();
    return push(line);
  };
  running.succeed();
  await running.result;
  await assert.rejects(waiting.result, { code: 'ERR_RUN_CANCELLED' });
  assert.equal(abort.signal.aborted, true);
  assert.equal(waiting.hasStarted(), false);
  assert.equal(rig.gate.state('a').active, 0);
});

void test('the wait has an end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rig = makeRig({ process: { maxQueueWaitMs: 5000 } });
  const running = rig.call();
  const waiting = rig.call();
  await settle();
  t.mock.timers.tick(4999);
  assert.equal(rig.gate.state('a').queued, 1);
  t.mock.timers.tick(1);
  await assert.rejects(waiting.result, BUSY);
  assert.equal(rig.gate.state('a').queued, 0);
  running.succeed();
  await running.result;
});

void test('a tool whose places are taken does not hold up another tool', async () => {
  const rig = makeRig();
  const calls = [rig.call('a'), rig.call('a')];
  const other = rig.call('b');
  await settle();
  assert.equal(other.hasStarted(), true);
  for (const call of [...calls, other]) call.succeed();
  await Promise.all([...calls, other].map(({ result }) => result));
});

void test('the process as a whole has its own limit, shared in order of arrival', async () => {
  const rig = makeRig({ process: { maxConcurrentRuns: 1, maxQueuedRuns: 2 } });
  const [first, second, third] = [rig.call('a'), rig.call('b'), rig.call('a')] as [Call, Call, Call];
  await settle();
  await assert.rejects(rig.call('b').result, BUSY);
  assert.deepEqual([second.hasStarted(), third.hasStarted()], [false, false]);
  first.succeed();
  await first.result;
  await settle();
  assert.deepEqual([second.hasStarted(), third.hasStarted()], [true, false]);
  second.succeed();
  third.succeed();
  await Promise.all([second.result, third.result]);
});

void test('new limits apply to what waits and never end what runs', async () => {
  const rig = makeRig();
  const calls = [rig.call(), rig.call(), rig.call()] as [Call, Call, Call];
  await settle();
  rig.gate.reconfigure('a', { ...LIMITS, concurrency: 3 });
  await settle();
  assert.deepEqual(
    calls.map((call) => call.hasStarted()),
    [true, true, true],
  );
  rig.gate.reconfigure('a', { ...LIMITS, concurrency: 1 });
  const late = rig.call();
  calls[0].succeed();
  calls[1].succeed();
  await Promise.all([calls[0].result, calls[1].result]);
  await settle();
  assert.equal(late.hasStarted(), false);
  calls[2].succeed();
  late.succeed();
  assert.equal(await late.result, 'done');
});

void test('a closed gate refuses whoever waits and whoever comes', async () => {
  const rig = makeRig();
  const running = rig.call();
  const waiting = rig.call();
  await settle();
  rig.gate.close();
  await assert.rejects(waiting.result, { code: 'ERR_SHUTTING_DOWN' });
  await assert.rejects(rig.call().result, { code: 'ERR_SHUTTING_DOWN' });
  running.succeed();
  assert.equal(await running.result, 'done');
});

void test('an unknown tool is refused', async () => {
  await assert.rejects(makeRig().call('nothing').result, { code: 'ERR_TOOL_UNKNOWN' });
});

void test('gauges follow what runs and what waits', async () => {
  const rig = makeRig();
  const calls = [rig.call(), rig.call()];
  await settle();
  assert.ok(rig.recorded.includes('sallyport_runs_active{"tool":"a"} 1'));
  assert.ok(rig.recorded.includes('sallyport_queue_depth{"tool":"a"} 1'));
  for (const call of calls) call.succeed();
  await Promise.all(calls.map(({ result }) => result));
  const last = (name: string) => rig.recorded.findLast((line) => line.startsWith(`${name}{"tool":"a"}`));
  assert.equal(last('sallyport_runs_active'), 'sallyport_runs_active{"tool":"a"} 0');
  assert.equal(last('sallyport_queue_depth'), 'sallyport_queue_depth{"tool":"a"} 0');
});

const step = record({
  what: constantFrom('call', 'abort', 'succeed', 'fail', 'resize', 'settle'),
  tool: constantFrom('a', 'b'),
  which: nat(30),
});

void test('places never leak, whatever the order of calls, aborts, ends and reloads', async () => {
  await assertProperty(
    asyncProperty(array(step, { maxLength: 60 }), async (steps) => {
      const rig = makeRig({
        process: { maxConcurrentRuns: 3, maxQueuedRuns: 4 },
        tools: { a: { concurrency: 2 }, b: {} },
      });
      const calls: { call: Call; abort: AbortController }[] = [];
      let most = 2;
      for (const { what, tool, which } of steps) {
        const chosen = calls[which % Math.max(1, calls.length)];
        if (what === 'call') {
          const abort = new AbortController();
          calls.push({ call: rig.call(tool, abort.signal), abort });
        } else if (what === 'abort') chosen?.abort.abort();
        else if (what === 'succeed') chosen?.call.succeed();
        else if (what === 'fail') chosen?.call.fail();
        else if (what === 'settle') await settle();
        else {
          most = Math.max(most, 1 + (which % 3));
          rig.gate.reconfigure(tool, { ...LIMITS, concurrency: 1 + (which % 3) });
        }
        assert.ok(rig.gate.state('a').active + rig.gate.state('b').active <= 3);
        assert.ok(rig.gate.state(tool).active <= most);
        rig.clock.advance(which * 40);
      }
      for (const { call } of calls) call.succeed();
      await Promise.allSettled(calls.map(({ call }) => call.result));
      for (const tool of ['a', 'b']) {
        assert.deepEqual([rig.gate.state(tool).active, rig.gate.state(tool).queued], [0, 0]);
      }
      rig.clock.advance(1e9);
      const after = ['a', 'b'].map((tool) => rig.call(tool));
      for (const call of after) call.succeed();
      assert.deepEqual(await Promise.all(after.map(({ result }) => result)), ['done', 'done']);
    }),
    { numRuns: 200 },
  );
});
