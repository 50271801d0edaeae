import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../../src/core/auth/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { step } from '../../../src/core/run/states.ts';
import { waitForRun } from '../../../src/core/run/wait.ts';
import { RUN_STATES } from '../../../schemas/run-record.ts';
import { caller, engineFixture } from '../../fixtures/engine.ts';
import { EXECUTED, heldProcess } from '../../fixtures/held-process.ts';
import { memoryStore } from '../../fixtures/memory-store.ts';

const statesOf = (store: ReturnType<typeof memoryStore>, runId: string) =>
  store.kept
    .get(runId)
    ?.events.filter(({ type }) => type === 'state')
    .map(({ data }) => data['state']);

test('a run is stored before its process starts, and its end before the caller hears of it', async () => {
  const store = memoryStore();
  const seen: unknown[] = [];
  const fixture = engineFixture({
    store,
    run: async (command) => {
      seen.push(store.kept.get(command.runId)?.run.state);
      return EXECUTED;
    },
  });
  const { runId, ended, isNew } = await fixture.start();
  assert.equal(isNew, true);
  assert.ok(store.kept.has(runId));
  await ended;
  assert.deepEqual(seen, ['running']);
  assert.deepEqual(statesOf(store, runId), ['queued', 'running', 'succeeded']);
  const kept = store.kept.get(runId);
  assert.equal(kept?.run.state, 'succeeded');
  assert.equal(kept?.job, null, 'the input is not kept once it runs');
  assert.deepEqual(
    kept?.events.map(({ seq }) => seq),
    kept?.events.map((_event, at) => at + 1),
  );
});

test('what was refused leaves no record, and a run that failed leaves one with its code and its output', async () => {
  const refused = engineFixture({ ceiling: 'observe' });
  await assert.rejects(refused.start(), { code: 'ERR_RISK_TOO_HIGH' });
  assert.equal(refused.store.kept.size, 0);
  const failed = engineFixture({ ending: { exitCode: 1, output: 'oh' } });
  const { ended, runId } = await failed.start();
  await assert.rejects(ended, { code: 'ERR_TOOL_FAILED' });
  const kept = failed.store.kept.get(runId);
  assert.equal(kept?.run.state, 'failed');
  assert.equal(kept?.run.error?.code, 'ERR_TOOL_FAILED');
  assert.equal(Buffer.concat(failed.store.written.stdout).toString(), 'oh');
  assert.match(String(kept?.run.stdout.sha256), /^[0-9a-f]{64}$/);
  assert.equal(kept?.run.stdout.keptBytes, 2);
});

test('nothing starts when the start cannot be stored, and the caller is told', async () => {
  const fixture = engineFixture();
  fixture.store.fail(true);
  await assert.rejects(fixture.start(), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.deepEqual(fixture.commands, []);
});

test('a run that is no longer queued when its turn comes is not started', async () => {
  const store = memoryStore();
  const fixture = engineFixture({
    store,
    gate: {
      admit: () => ({
        run: async (work) => {
          for (const kept of store.kept.values()) kept.run = { ...kept.run, state: 'cancelled' };
          return work({ queuedMs: 0 });
        },
        leave: () => undefined,
      }),
    },
  });
  const { ended } = await fixture.start();
  await assert.rejects(ended);
  assert.deepEqual(fixture.commands, []);
});

test('a caller that leaves ends its run, one that detached does not', async () => {
  for (const isDetached of [false, true]) {
    const process = heldProcess();
    const fixture = engineFixture({ run: process.run });
    const call = new AbortController();
    const started = await fixture.start({ signal: call.signal });
    await process.started;
    if (isDetached) await started.detach();
    call.abort();
    process.letGo();
    if (isDetached) await started.ended;
    else await assert.rejects(started.ended, { code: 'ERR_RUN_CANCELLED' });
    assert.equal(fixture.store.kept.get(started.runId)?.run.state, isDetached ? 'succeeded' : 'cancelled');
  }
});

test('whoever waits too short gets the run as it is, and it goes on', async () => {
  const process = heldProcess();
  const fixture = engineFixture({ run: process.run });
  const started = await fixture.start();
  const waited = await waitForRun(started, 0);
  assert.equal(waited.kind, 'going_on');
  process.letGo();
  await started.ended;
});

test('an end that cannot be stored now is told, and stored later', { timeout: 60_000 }, async () => {
  const process = heldProcess();
  const fixture = engineFixture({ run: process.run });
  const { ended, runId } = await fixture.start();
  await process.started;
  fixture.store.fail(true);
  process.letGo();
  await assert.rejects(ended, { code: 'ERR_STORE_UNAVAILABLE' });
  assert.equal(fixture.store.kept.get(runId)?.run.state, 'running');
  fixture.store.fail(false);
  while (fixture.store.kept.get(runId)?.run.state === 'running') await new Promise((done) => setTimeout(done, 100));
  assert.deepEqual(statesOf(fixture.store, runId), ['queued', 'running', 'succeeded']);
});

test('after a restart running runs are lost, waiting ones wait on only when their caller had left', async () => {
  const store = memoryStore();
  const never = new Promise<never>(() => undefined);
  const first = engineFixture({ store, run: () => never });
  const running = await first.start();
  const waiting = engineFixture({ store, gate: { admit: () => ({ run: () => never, leave: () => undefined }) } });
  const attached = await waiting.start();
  const detached = await waiting.start();
  await detached.detach();
  while (store.kept.get(running.runId)?.run.state !== 'running') await new Promise((done) => setImmediate(done));

  const second = engineFixture({ store });
  await second.engine.recover();
  await second.engine.runs.idle();
  const state = (runId: string) => store.kept.get(runId)?.run.state;
  assert.deepEqual(
    [state(running.runId), state(attached.runId), state(detached.runId)],
    ['lost', 'cancelled', 'succeeded'],
  );
  assert.equal(store.kept.get(running.runId)?.run.error?.code, 'ERR_RUN_LOST');
  assert.deepEqual(
    second.commands.map(({ runId }) => runId),
    [detached.runId],
  );
});

test('a run whose caller has left is not started once its key is revoked, without a restart too', async () => {
  const turn = Promise.withResolvers<void>();
  const principals = new Map<string, Principal>();
  const stranger: Principal = { ...caller, id: 'stranger' };
  principals.set(stranger.id, stranger);
  const fixture = engineFixture({
    principals,
    gate: {
      admit: () => ({
        run: async (work) => {
          await turn.promise;
          return work({ queuedMs: 5 });
        },
        leave: () => undefined,
      }),
    },
  });
  const left = await fixture.start({ principal: stranger });
  await left.detach();
  principals.delete(stranger.id);
  turn.resolve();
  await assert.rejects(left.ended, { code: 'ERR_AUTH_FORBIDDEN' });
  assert.equal(fixture.store.kept.get(left.runId)?.run.state, 'ended_by_policy');
  assert.deepEqual(fixture.commands, []);
});

test('a connected caller that waited long is asked for its key again before its run starts', async () => {
  const fixture = engineFixture({ queuedMs: 5, principals: new Map() });
  const stranger: Principal = { ...caller, id: 'revoked' };
  await assert.rejects((await fixture.start({ principal: stranger })).ended, { code: 'ERR_AUTH_FORBIDDEN' });
  assert.deepEqual(fixture.commands, []);
});

test('a waiting run of a key that was revoked meanwhile is not started', async () => {
  const store = memoryStore();
  const never = new Promise<never>(() => undefined);
  const waiting = engineFixture({ store, gate: { admit: () => ({ run: () => never, leave: () => undefined }) } });
  const stranger: Principal = { ...caller, id: 'gone' };
  const left = await waiting.start({ principal: stranger });
  await left.detach();
  const second = engineFixture({ store });
  await second.engine.recover();
  assert.equal(store.kept.get(left.runId)?.run.state, 'ended_by_policy');
  assert.deepEqual(second.commands, []);
});

test('a state that ended never changes, and every step that is not in the table is refused', () => {
  const final = ['succeeded', 'failed', 'timed_out', 'cancelled', 'ended_by_policy', 'lost'] as const;
  for (const from of final) for (const to of RUN_STATES) assert.throws(() => step(from, to));
  assert.throws(() => step('queued', 'succeeded'));
  assert.throws(() => step('running', 'queued'));
  assert.equal(step('queued', 'running'), 'running');
});

test('a run that the gateway ended because it stops does not say that a caller cancelled it', async () => {
  const fixture = engineFixture({ ending: { ending: 'cancelled', exitCode: null } });
  const { runId, ended } = await fixture.start();
  await assert.rejects(ended, { code: 'ERR_SHUTTING_DOWN' });
  assert.equal(fixture.store.kept.get(runId)?.run.state, 'cancelled');
});

test('a caller that cannot be told its id leaves no scan behind that nobody knows of', async () => {
  const turn = Promise.withResolvers<void>();
  const fixture = engineFixture({
    gate: {
      admit: (_tool, { signal }) => ({
        run: async (work) => {
          await turn.promise;
          if (signal.aborted) throw new SallyportError('ERR_RUN_CANCELLED', 'withdrawn');
          return work({ queuedMs: 1 });
        },
        leave: () => undefined,
      }),
    },
  });
  const started = await fixture.start();
  fixture.store.fail(true);
  await assert.rejects(started.detach(), { code: 'ERR_STORE_UNAVAILABLE' });
  fixture.store.fail(false);
  turn.resolve();
  await assert.rejects(started.ended, { code: 'ERR_RUN_CANCELLED' });
  assert.deepEqual(fixture.commands, []);
});

test('an end that could not be stored is stored when the gateway stops in order', async () => {
  const process = heldProcess();
  const fixture = engineFixture({ run: process.run });
  const { ended, runId } = await fixture.start();
  await process.started;
  fixture.store.fail(true);
  process.letGo();
  await assert.rejects(ended, { code: 'ERR_STORE_UNAVAILABLE' });
  fixture.store.fail(false);
  await fixture.engine.settle();
  assert.equal(fixture.store.kept.get(runId)?.run.state, 'succeeded');
});
