import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { ALICE, ASKER, codeOf, DIGEST, key, openDesk, saying, waiting } from './rig.ts';

const ALONE = { from: 'intrusive', selfConfirm: true } as const;
const YES = { digest: DIGEST, accepted: true, requestId: 'req_2' };
const NO = { ...YES, accepted: false };

test('a confirmation is recorded and replaces nobody', async (t) => {
  const rig = await openDesk(t);
  const { runId, end } = await rig.start();
  await rig.approvals.confirm(ASKER, runId, YES);
  assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
  assert.equal(rig.audited.at(-1)?.type, 'approval.confirmed');
  assert.equal(rig.audited.at(-1)?.data?.['counts'], false);
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  assert.equal(await end, 'consented');
});

test('where the engagement says so a confirmation counts as one approval, and as one only', async (t) => {
  const rig = await openDesk(t, ALONE);
  const one = await rig.start({ selfConfirm: true });
  await rig.approvals.confirm(ASKER, one.runId, YES);
  assert.equal(await one.end, 'consented');
  assert.deepEqual(rig.types(), ['approval.requested', 'approval.confirmed', 'approval.approved']);
  assert.equal((await rig.store.approvals.get(one.runId))?.decisions[0]?.via, 'mcp');
  const two = await rig.start({ selfConfirm: true, quorum: 2 });
  await rig.approvals.confirm(ASKER, two.runId, YES);
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, two.runId, YES)), 'ERR_APPROVAL_REPEATED');
  assert.equal((await rig.approvals.get(ALICE, two.runId)).state, 'pending');
  await rig.approvals.decide(ALICE, two.runId, saying('approved'));
  assert.equal(await two.end, 'consented');
});

test('a confirmation counts only if the engagement says so when it is asked for and when it is given', async (t) => {
  const rig = await openDesk(t, ALONE);
  const before = await rig.start({ selfConfirm: false });
  await rig.approvals.confirm(ASKER, before.runId, YES);
  const after = await rig.start({ selfConfirm: true });
  rig.engagement.document = { ...rig.engagement.document, approvals: { from: 'intrusive' } };
  await rig.approvals.confirm(ASKER, after.runId, YES);
  for (const { runId } of [before, after]) {
    assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
  }
});

test('a request that its requester declines is withdrawn, and the run hears by whom', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  const ended = rig.approvals.wait(run, new AbortController().signal);
  const heard = assert.rejects(
    ended,
    (thrown: SallyportError) =>
      thrown.code === 'ERR_APPROVAL_DENIED' && /declined by the requester/.test(thrown.message),
  );
  await rig.approvals.confirm(ASKER, run.runId, NO);
  await heard;
  assert.equal((await rig.store.approvals.get(run.runId))?.outcome, 'withdrawn');
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, run.runId, NO)), 'ERR_APPROVAL_OVER');
  assert.equal(await codeOf(rig.approvals.decide(ALICE, run.runId, saying('approved'))), 'ERR_APPROVAL_OVER');
  assert.equal(rig.audited.findLast(({ type }) => type === 'approval.denied')?.principal, ASKER.id);
});

test('nobody confirms for somebody else, another plan, too late, or with a key that was revoked', async (t) => {
  const rig = await openDesk(t, ALONE);
  const { runId } = await rig.start({ selfConfirm: true });
  const second = key('key_second', ASKER.name);
  rig.keys.set(second.id, second);
  for (const who of [ALICE, second]) {
    assert.equal(await codeOf(rig.approvals.confirm(who, runId, YES)), 'ERR_APPROVAL_UNKNOWN');
  }
  const other = { ...YES, digest: 'b'.repeat(64) };
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, runId, other)), 'ERR_PLAN_CHANGED');
  rig.engagement.refusal = new SallyportError('ERR_ENGAGEMENT_REVOKED', 'no');
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, runId, YES)), 'ERR_ENGAGEMENT_REVOKED');
  rig.engagement.refusal = undefined;
  rig.keys.delete(ASKER.id);
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, runId, YES)), 'ERR_AUTH_FORBIDDEN');
  rig.keys.set(ASKER.id, ASKER);
  rig.clock.wall += 3_600_000;
  assert.equal(await codeOf(rig.approvals.confirm(ASKER, runId, YES)), 'ERR_APPROVAL_OVER');
});

test('a confirmation that counted stops counting when its key is revoked before the start', async (t) => {
  const rig = await openDesk(t, ALONE);
  const run = await rig.ask({ selfConfirm: true });
  await rig.approvals.confirm(ASKER, run.runId, YES);
  rig.keys.delete(ASKER.id);
  assert.equal(await waiting(rig.restart(), run).end, 'ERR_APPROVAL_DENIED');
});
