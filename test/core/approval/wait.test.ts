import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { ALICE, BOB, codeOf, openDesk, saying, waiting } from './rig.ts';

const HOUR = 3_600_000;
const MINUTE = 60_000;

test('people are told after the audit has the request, and nothing runs when it cannot be written', async (t) => {
  const rig = await openDesk(t);
  rig.audit.append = async (event) => {
    assert.deepEqual(rig.told, []);
    rig.audited.push(event);
  };
  const { run, runId } = await rig.start();
  assert.deepEqual(rig.types(), ['approval.requested']);
  const [message] = rig.told;
  assert.equal(message?.id, `approval_requested_${runId}`);
  assert.equal(message.type, 'approval.requested');
  assert.equal(message.data.state, 'pending');
  assert.deepEqual(message.data.argv, run.argv);
  assert.deepEqual(message.data.targets, ['a.lab [10.0.0.1]']);
  rig.audit.fault = true;
  const refused = await rig.start();
  assert.equal(await refused.end, 'ERR_AUDIT_UNAVAILABLE');
  assert.equal((await rig.store.approvals.get(refused.runId))?.outcome, 'withdrawn');
  assert.ok(rig.told.every(({ type, data }) => data.runId === runId || type === 'approval.decided'));
});

test('a request that nobody answers expires, and a decision after it is too late', async (t) => {
  const rig = await openDesk(t);
  const { runId, end } = await rig.start();
  rig.clock.wall += HOUR;
  assert.equal(await end, 'ERR_APPROVAL_EXPIRED');
  assert.equal((await rig.store.approvals.get(runId))?.outcome, 'expired');
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.deepEqual(rig.types(), ['approval.requested', 'approval.expired', 'approval.refused']);
  assert.deepEqual(
    rig.told.map(({ type, data }) => [type, data.state]),
    [
      ['approval.requested', 'pending'],
      ['approval.decided', 'expired'],
    ],
  );
});

test('a decision that finds the time over expires the request at once', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  rig.clock.wall += HOUR;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, run.runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.equal((await rig.store.approvals.get(run.runId))?.outcome, 'expired');
  assert.equal(await waiting(rig.approvals, run).end, 'ERR_APPROVAL_EXPIRED');
});

test('a clock that is set back does not lengthen the time', async (t) => {
  const rig = await openDesk(t);
  const { runId, end } = await rig.start();
  rig.clock.wall -= 30_000;
  rig.clock.steady += HOUR;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.equal(await end, 'ERR_APPROVAL_EXPIRED');
});

test('a clock that is set back over a restart ends the request instead of lengthening it', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  rig.clock.wall -= 24 * HOUR;
  assert.equal(await waiting(rig.restart(), run).end, 'ERR_APPROVAL_EXPIRED');
});

test('a clock that is set back over a restart by what a request has waited does not begin its time anew', async (t) => {
  const rig = await openDesk(t);
  const { run, runId } = await rig.start();
  rig.clock.newest = rig.clock.wall + 55 * MINUTE;
  // The wall clock says again what it said when the run was asked for.
  const again = waiting(rig.restart(), run);
  await rig.heard(runId);
  rig.clock.wall += 5 * MINUTE - 1;
  rig.clock.steady += 5 * MINUTE - 1;
  assert.equal((await rig.approvals.get(ALICE, runId)).state, 'pending');
  rig.clock.wall += 1;
  rig.clock.steady += 1;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.equal(await again.end, 'ERR_APPROVAL_EXPIRED');
  const requested = rig.audited.filter(({ type }) => type === 'approval.requested');
  assert.deepEqual(
    requested.map(({ data }) => data?.['isResumed']),
    [false, true],
  );
});

test('a clock that was ahead once ends what was asked for before, and nothing that is asked for since', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  rig.clock.newest = rig.clock.wall + 10 * HOUR;
  assert.equal(await waiting(rig.restart(), run).end, 'ERR_APPROVAL_EXPIRED');
  const since = await rig.start();
  rig.clock.wall += HOUR - 1;
  rig.clock.steady += HOUR - 1;
  assert.equal((await rig.approvals.get(ALICE, since.runId)).state, 'pending');
  await rig.approvals.decide(ALICE, since.runId, saying('approved'));
  assert.equal(await since.end, 'consented');
});

test('while nobody knows what waited before, time is counted by the later clock', async (t) => {
  const rig = await openDesk(t);
  const { run } = await rig.start();
  rig.clock.newest = rig.clock.wall + HOUR;
  t.mock.method(rig.store.approvals, 'pending', async () => Promise.reject(new Error('no')));
  assert.equal(await waiting(rig.restart(), run).end, 'ERR_APPROVAL_EXPIRED');
});

test('a request keeps its time over a restart and is told again under the same id', async (t) => {
  const rig = await openDesk(t);
  const { run } = await rig.start();
  rig.clock.wall += HOUR / 2;
  rig.clock.steady = 0;
  const again = waiting(rig.restart(), run);
  assert.equal((await rig.approvals.list(ALICE)).length, 1);
  rig.clock.wall += HOUR / 2;
  assert.equal(await again.end, 'ERR_APPROVAL_EXPIRED');
  const asked = rig.told.filter(({ type }) => type === 'approval.requested');
  assert.equal(asked.length, 2);
  assert.equal(asked[0]?.id, asked[1]?.id);
  const requested = rig.audited.filter(({ type }) => type === 'approval.requested');
  assert.deepEqual(
    requested.map(({ data }) => data?.['isResumed']),
    [false, true],
  );
});

test('a restart between the decision and the start keeps the outcome', async (t) => {
  const rig = await openDesk(t);
  for (const [decision, expected] of [
    ['approved', 'consented'],
    ['denied', 'ERR_APPROVAL_DENIED'],
  ] as const) {
    const run = await rig.ask();
    await rig.approvals.decide(ALICE, run.runId, saying(decision));
    assert.equal(await waiting(rig.restart(), run).end, expected);
  }
});

test('what waited before a restart waits on while the audit cannot be written', async (t) => {
  const rig = await openDesk(t);
  const { run, runId } = await rig.start();
  rig.clock.wall += 1000;
  rig.restart();
  rig.audit.fault = true;
  const heard = rig.heard(runId);
  const again = waiting(rig.approvals, run);
  await Promise.race([heard, again.end]);
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_AUDIT_UNAVAILABLE');
  rig.audit.fault = false;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'done');
  assert.equal(await again.end, 'consented');
});

test('a run whose consent another process took hears it when its time is over', async (t) => {
  const rig = await openDesk(t);
  const { runId, end } = await rig.start();
  await rig.restart().decide(ALICE, runId, saying('approved'));
  rig.clock.wall += HOUR;
  assert.equal(await end, 'consented');
});

test('the first of two approvals survives a restart, and is still the first', async (t) => {
  const rig = await openDesk(t);
  const { run, runId } = await rig.start({ quorum: 2 });
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  const again = waiting(rig.restart(), run);
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_REPEATED');
  await rig.approvals.decide(BOB, runId, saying('approved'));
  assert.equal(await again.end, 'consented');
});

test('a run that is cancelled while it waits withdraws its request', async (t) => {
  const rig = await openDesk(t);
  const { runId, end, stop } = await rig.start();
  stop.abort();
  assert.equal(await end, 'ERR_RUN_CANCELLED');
  assert.equal((await rig.store.approvals.get(runId))?.outcome, 'withdrawn');
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.equal((await rig.approvals.get(ALICE, runId)).state, 'withdrawn');
  assert.equal(rig.told.at(-1)?.data.state, 'withdrawn');
  const run = await rig.ask();
  const stopped = rig.approvals.wait(run, AbortSignal.abort());
  assert.equal(await codeOf(stopped), 'ERR_RUN_CANCELLED');
  assert.equal(rig.approvals.pending(), 0);
});

test('a kill switch is not held up by an audit that does not answer', async (t) => {
  const rig = await openDesk(t);
  const stuck = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  rig.audit.append = () => {
    begun.resolve();
    return stuck.promise;
  };
  const { runId, end, stop } = waiting(rig.approvals, await rig.ask());
  await begun.promise;
  stop.abort();
  assert.equal(await end, 'ERR_RUN_CANCELLED');
  stuck.resolve();
  // It has its turn after what was stuck.
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.ok(rig.told.every(({ type }) => type !== 'approval.requested'));
});

test('a run that ended without its request being closed needs nobody any more', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.ask();
  const endedAt = new Date(rig.clock.wall).toISOString();
  await rig.store.runs.change({
    runId,
    from: 'awaiting_approval',
    patch: { state: 'cancelled', endedAt },
    events: [],
  });
  assert.deepEqual(await rig.approvals.list(ALICE), []);
  assert.equal((await rig.approvals.get(ALICE, runId)).state, 'withdrawn');
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_OVER');
});

test('a store that fails lets the request expire all the same', async (t) => {
  const rig = await openDesk(t);
  const { end } = await rig.start();
  rig.store.approvals.close = async () => {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The disk is full.');
  };
  rig.clock.wall += HOUR;
  assert.equal(await end, 'ERR_APPROVAL_EXPIRED');
});

test('a run that waits without a request fails, and one request is waited for once', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  const { end, stop } = waiting(rig.approvals, run);
  assert.match(await codeOf(rig.approvals.wait(run, new AbortController().signal)), /once/);
  stop.abort();
  await end;
  assert.equal(await waiting(rig.approvals, { ...run, runId: 'nobody' }).end, 'ERR_INTERNAL');
});
