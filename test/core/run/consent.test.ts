import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { engineFixture, type FixtureOptions, pinnedHost } from '../../fixtures/engine.ts';
import { heldProcess } from '../../fixtures/held-process.ts';
import { memoryStore } from '../../fixtures/memory-store.ts';

const NEED = { from: 'active', quorum: 1, ttlMs: 60_000, selfConfirm: false } as const;
const needsConsent = (wait: () => Promise<void>): FixtureOptions => ({
  sources: { need: () => NEED },
  guards: { approvals: { wait } },
});
const stateOf = (store: ReturnType<typeof memoryStore>, runId: string) => store.kept.get(runId)?.run.state;

/** The host of the fixture's call after its name was pointed elsewhere. */
function movedTo(address: string) {
  const { list, size } = pinnedHost('10.0.0.1');
  const moved = list.map((target) => ({ ...target, address, addresses: [address] }));
  return { list: moved, all: () => moved, one: () => moved[0] ?? assert.fail(), size };
}

test('a run that needs consent is stored as awaiting it, takes no place, and starts when it has it', async () => {
  const consent = Promise.withResolvers<void>();
  const fixture = engineFixture({ ...needsConsent(() => consent.promise), places: 1 });
  const started = await fixture.start();
  const { ended, runId } = started;
  const waiting = await started.read();
  assert.equal(waiting.state, 'awaiting_approval');
  assert.equal(waiting.approval?.quorum, 1);
  assert.equal(Date.parse(waiting.approval.expiresAt) - Date.parse(waiting.createdAt), 60_000);
  assert.deepEqual(fixture.commands, []);
  consent.resolve();
  await ended;
  const events = fixture.store.kept.get(runId)?.events.filter(({ type }) => type === 'state');
  assert.deepEqual(
    events?.map(({ data }) => data['state']),
    ['awaiting_approval', 'queued', 'running', 'succeeded'],
  );
});

test('who leaves does not withdraw what waits for people; who cancels does', async () => {
  const leaving = new AbortController();
  const fixture = engineFixture(needsConsent(() => new Promise(() => undefined)));
  const { runId } = await fixture.start({ signal: leaving.signal });
  leaving.abort();
  assert.equal(stateOf(fixture.store, runId), 'awaiting_approval');
  const withSignal = engineFixture({
    sources: { need: () => NEED },
    guards: {
      approvals: {
        wait: (_run, signal) =>
          new Promise((_resolve, reject) => {
            const withdrawn = () => reject(new SallyportError('ERR_RUN_CANCELLED', 'It was withdrawn.'));
            signal.addEventListener('abort', withdrawn, { once: true });
          }),
      },
    },
  });
  const second = await withSignal.start();
  await withSignal.engine.runs.cancel(second.runId);
  assert.equal(stateOf(withSignal.store, second.runId), 'cancelled');
  await assert.rejects(second.ended, { code: 'ERR_RUN_CANCELLED' });
});

for (const code of ['ERR_APPROVAL_DENIED', 'ERR_APPROVAL_EXPIRED'] as const) {
  test(`a run whose consent ends with ${code} is ended by policy, and nothing runs`, async () => {
    const fixture = engineFixture(
      needsConsent(async () => {
        throw new SallyportError(code, 'No.');
      }),
    );
    const { ended, runId } = await fixture.start();
    await assert.rejects(ended, { code });
    assert.equal(stateOf(fixture.store, runId), 'ended_by_policy');
    assert.deepEqual(fixture.commands, []);
  });
}

test('what people consented to is what runs: a name that moved meanwhile ends the run', async () => {
  let address = '10.0.0.1';
  const consent = Promise.withResolvers<void>();
  let generation = 0;
  const fixture = engineFixture({
    ...needsConsent(() => consent.promise),
    policy: { pin: async () => movedTo(address) },
    generation: () => generation,
  });
  const { ended, runId } = await fixture.start();
  address = '10.0.0.66';
  generation = 1;
  consent.resolve();
  await assert.rejects(ended, { code: 'ERR_PLAN_RESOLUTION_CHANGED' });
  assert.equal(stateOf(fixture.store, runId), 'ended_by_policy');
  assert.deepEqual(fixture.commands, []);
});

test('a stop of the gateway leaves a run waiting for people, and the next life goes on waiting', async () => {
  const store = memoryStore();
  const first = engineFixture({ ...needsConsent(() => new Promise(() => undefined)), store });
  const { runId } = await first.start();
  await first.engine.settle();
  assert.equal(stateOf(store, runId), 'awaiting_approval');
  const consent = Promise.withResolvers<void>();
  const second = engineFixture({ ...needsConsent(() => consent.promise), store });
  await second.engine.recover();
  assert.equal(stateOf(store, runId), 'awaiting_approval');
  consent.resolve();
  await second.engine.runs.idle();
  assert.equal(stateOf(store, runId), 'succeeded');
  assert.equal(second.commands.length, 1);
});

/** What a plan of the fixture's call is bound to. */
async function digestOfCall() {
  const { start } = engineFixture();
  const started = await start();
  await started.ended;
  const all = String((await started.read()).planDigest);
  return { all, targets: '', engagement: '', input: '', tool: '', rest: '' };
}

test('a run by plan id is exactly that plan: the same digest runs, another one is refused', async () => {
  const digests = await digestOfCall();
  const take = async () => ({ input: { host: '10.0.0.1' }, options: { engagement: 'default' }, digests });
  const same = engineFixture({ guards: { named: { take } } });
  const { ended } = await same.start({ input: undefined, run: { planId: 'plan_1' } });
  await ended;
  assert.equal(same.commands.length, 1);
  const moved = engineFixture({
    guards: { named: { take } },
    policy: { pin: async () => movedTo('10.0.0.9') },
  });
  await assert.rejects(moved.start({ input: undefined, run: { planId: 'plan_1' } }), (error: SallyportError) =>
    error.code.startsWith('ERR_PLAN_'),
  );
  assert.deepEqual(moved.commands, []);
  await assert.rejects(same.start({ input: undefined, run: { planId: 'plan_1', timeoutMs: 2000 } }), {
    code: 'ERR_PLAN_MISMATCH',
  });
});

test('consent that the operator asks for while a run waits is not left out', async () => {
  let need: typeof NEED | undefined;
  let generation = 0;
  const place = Promise.withResolvers<void>();
  const fixture = engineFixture({
    sources: { need: () => need },
    generation: () => generation,
    gate: {
      admit: () => ({
        run: async (work) => {
          await place.promise;
          return work({ queuedMs: 5 });
        },
        leave: () => undefined,
      }),
    },
  });
  const { ended, runId } = await fixture.start();
  need = NEED;
  generation = 1;
  place.resolve();
  await assert.rejects(ended, { code: 'ERR_PLAN_ENGAGEMENT_CHANGED' });
  assert.equal(stateOf(fixture.store, runId), 'ended_by_policy');
  assert.deepEqual(fixture.commands, []);
});

test('after the consent a plan is made again, also when a place is free and nothing was changed', async () => {
  let address = '10.0.0.1';
  const consent = Promise.withResolvers<void>();
  const fixture = engineFixture({
    ...needsConsent(() => consent.promise),
    policy: { pin: async () => movedTo(address) },
  });
  const { ended } = await fixture.start();
  address = '10.0.0.66';
  consent.resolve();
  await assert.rejects(ended, { code: 'ERR_PLAN_RESOLUTION_CHANGED' });
  assert.deepEqual(fixture.commands, []);
});

test('the policy judges a run by what it was planned to last, also after a restart', async () => {
  const store = memoryStore();
  const first = engineFixture({ store, ...needsConsent(() => new Promise(() => undefined)) });
  await first.start();
  await first.engine.settle();
  const held = heldProcess();
  const second = engineFixture({ store, ...needsConsent(async () => undefined), run: held.run });
  await second.engine.recover();
  await held.started;
  const [subject] = second.engine.runs.subjects();
  assert.deepEqual(subject?.pinned?.list[0]?.addresses, ['10.0.0.1']);
  assert.equal(subject.claims?.length, 1);
  held.letGo();
  await second.engine.runs.idle();
});
