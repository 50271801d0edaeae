import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, asyncProperty, assert as assertProperty, nat, record } from 'fast-check';
import { SallyportError } from '../../../src/core/errors.ts';
import { enter, makeRig, settle } from './rig.ts';

const TOOLS = { a: { concurrency: 10, maxQueued: 50 }, b: { concurrency: 10, maxQueued: 50 } };
const LIMITS = { maxConcurrentRuns: 10, maxQueuedRuns: 50, maxQueueWaitMs: 60_000 };
const capped = (maxConcurrentRunsPerOwner: number) =>
  makeRig({ tools: TOOLS, process: { ...LIMITS, maxConcurrentRunsPerOwner } });

/** Calls of owners on one gate, each of which ends when it is told to. */
function makeCalls(rig: ReturnType<typeof capped>) {
  const started: string[] = [];
  const call = (owner: string, tool = 'a') => {
    const end = Promise.withResolvers<void>();
    const done = enter(rig.gate, { tool, owner }, async () => {
      started.push(owner);
      await end.promise;
    });
    done.catch(() => undefined);
    return { done, end: end.resolve };
  };
  return { call, started };
}

test('an owner at its cap waits over all tools, and others pass it', async () => {
  const rig = capped(2);
  const { call, started } = makeCalls(rig);
  const own = [call('flood', 'a'), call('flood', 'b'), call('flood', 'a'), call('flood', 'b')];
  await settle();
  const other = call('quiet');
  await settle();
  assert.deepEqual(started, ['flood', 'flood', 'quiet']);
  assert.deepEqual([rig.gate.state('a').queued, rig.gate.state('b').queued], [1, 1]);
  own[0]?.end();
  await settle();
  assert.deepEqual(started, ['flood', 'flood', 'quiet', 'flood']);
  for (const { end } of [...own, other]) end();
  await Promise.all([...own, other].map(({ done }) => done));
  assert.equal(started.length, 5);
});

test('a raised cap lets those who wait in, a lower one ends nobody, and none at all is no cap', async () => {
  const rig = capped(1);
  const { call, started } = makeCalls(rig);
  const calls = Array.from({ length: 5 }, () => call('one'));
  await settle();
  assert.equal(started.length, 1);
  rig.gate.reconfigureProcess({ ...LIMITS, maxConcurrentRunsPerOwner: 3 });
  await settle();
  assert.equal(started.length, 3);
  rig.gate.reconfigureProcess({ ...LIMITS, maxConcurrentRunsPerOwner: 1 });
  calls[0]?.end();
  await settle();
  assert.equal(started.length, 3);
  rig.gate.reconfigureProcess(LIMITS);
  await settle();
  assert.equal(started.length, 5);
  for (const { end } of calls) end();
  await Promise.all(calls.map(({ done }) => done));
});

test('who leaves a place, held or waited for, gives its owner room', async () => {
  const rig = capped(1);
  const signal = new AbortController().signal;
  const held = rig.gate.admit('a', { signal, owner: 'one' });
  const waiting = rig.gate.admit('a', { signal, owner: 'one' });
  waiting.leave();
  held.leave();
  held.leave();
  await settle();
  assert.equal(await enter(rig.gate, { tool: 'a', owner: 'one' }, async () => 'in'), 'in');
});

test('a failed call gives its owner room too', async () => {
  const rig = capped(1);
  const fail = async () => {
    throw new SallyportError('ERR_TOOL_FAILED', 'no');
  };
  await assert.rejects(enter(rig.gate, { tool: 'a', owner: 'one' }, fail), { code: 'ERR_TOOL_FAILED' });
  assert.equal(await enter(rig.gate, { tool: 'a', owner: 'one' }, async () => 'in'), 'in');
});

test('whatever calls come and end, no owner is above its cap and no call is lost', async () => {
  const calls = array(record({ owner: nat(3), tool: nat(1), leaves: nat(4) }), { minLength: 1, maxLength: 30 });
  await assertProperty(
    asyncProperty(calls, nat(3), async (asked, extra) => {
      const cap = extra + 1;
      const rig = capped(cap);
      const running = new Map<string, number>();
      let most = 0;
      let ran = 0;
      const count = (owner: string, by: number) => running.set(owner, (running.get(owner) ?? 0) + by).get(owner) ?? 0;
      await Promise.all(
        asked.map(async ({ owner, tool, leaves }) => {
          const name = `owner-${owner}`;
          await enter(rig.gate, { tool: tool === 0 ? 'a' : 'b', owner: name }, async () => {
            most = Math.max(most, count(name, 1));
            for (let turn = 0; turn < leaves; turn += 1) await settle();
            count(name, -1);
            ran += 1;
          });
        }),
      );
      assert.ok(most <= cap);
      assert.equal(ran, asked.length);
    }),
    { numRuns: 60 },
  );
});
