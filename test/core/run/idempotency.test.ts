import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../../../src/core/auth/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { caller, engineFixture } from '../../fixtures/engine.ts';
import { heldProcess } from '../../fixtures/held-process.ts';

test('the same idempotency key is the same run; with something else it is a conflict; of another caller another run', async () => {
  const fixture = engineFixture();
  const first = await fixture.start({ idempotencyKey: 'k1' });
  await first.ended;
  const again = await fixture.start({ idempotencyKey: 'k1' });
  assert.deepEqual([again.isNew, again.runId], [false, first.runId]);
  assert.deepEqual(await again.ended, await first.ended);
  await assert.rejects(fixture.start({ idempotencyKey: 'k1', input: { host: '10.0.0.2' } }), {
    code: 'ERR_IDEMPOTENCY_CONFLICT',
  });
  const other: Principal = { ...caller, id: 'key-2' };
  const theirs = await fixture.start({ idempotencyKey: 'k1', principal: other });
  assert.notEqual(theirs.runId, first.runId);
  await theirs.ended;
  await assert.rejects(fixture.start({ idempotencyKey: 'a\nb' }), { code: 'ERR_INPUT_INVALID' });
  assert.equal(fixture.commands.length, 2);
});

test('who repeats a call and leaves with the id keeps the run alive for both', async () => {
  const process = heldProcess();
  const fixture = engineFixture({ run: process.run });
  const call = new AbortController();
  const first = await fixture.start({ idempotencyKey: 'k', signal: call.signal });
  await process.started;
  const again = await fixture.start({ idempotencyKey: 'k' });
  await again.detach();
  call.abort();
  process.letGo();
  await Promise.all([first.ended, again.ended]);
  assert.equal(fixture.store.kept.get(first.runId)?.run.state, 'succeeded');
});

test('two calls with one key at the same time are one run', async () => {
  const fixture = engineFixture();
  const both = await Promise.all([fixture.start({ idempotencyKey: 'k' }), fixture.start({ idempotencyKey: 'k' })]);
  await Promise.all(both.map(({ ended }) => ended));
  assert.equal(new Set(both.map(({ runId }) => runId)).size, 1);
  assert.equal(fixture.commands.length, 1);
});

test('a key whose run was withdrawn before it started names a new run', async () => {
  const fixture = engineFixture({
    gate: {
      admit: () => ({
        run: async (work) => {
          if (fixture.store.kept.size < 2) throw new SallyportError('ERR_SHUTTING_DOWN', 'stopping');
          return work({ queuedMs: 0 });
        },
        leave: () => undefined,
      }),
    },
  });
  const first = await fixture.start({ idempotencyKey: 'k' });
  await assert.rejects(first.ended, { code: 'ERR_SHUTTING_DOWN' });
  const again = await fixture.start({ idempotencyKey: 'k' });
  assert.notEqual(again.runId, first.runId);
  await again.ended;
  assert.equal((await fixture.start({ idempotencyKey: 'k' })).runId, again.runId);
});
