import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { ALICE, ASKER, BOB, codeOf, DIGEST, key, openDesk, saying, waiting } from './rig.ts';

const OTHER_DIGEST = 'b'.repeat(64);

test('another person consents, the run goes on, and the audit had it before it counted', async (t) => {
  const rig = await openDesk(t);
  const { runId, end } = await rig.start();
  rig.audit.append = async (event) => {
    const stored = await rig.store.approvals.get(runId);
    if (event.type === 'approval.approved') assert.deepEqual(stored?.decisions, []);
    rig.audited.push(event);
  };
  const view = await rig.approvals.decide(
    ALICE,
    runId,
    saying('approved', { reason: 'agreed with the\u001b[2J owner' }),
  );
  assert.equal(await end, 'consented');
  assert.equal(view.state, 'approved');
  assert.equal(view.decisions[0]?.reason, 'agreed with the owner');
  assert.deepEqual(rig.types(), ['approval.requested', 'approval.approved']);
  const record = rig.audited[1];
  assert.equal(record?.principal, ALICE.id);
  assert.equal(record?.digest, DIGEST);
  assert.equal(record?.requestId, 'req_1');
  assert.equal(rig.counted['sallyport_approvals_total approved'], 1);
  assert.equal(rig.counted['sallyport_approvals_pending'], 0);
});

test('one denial ends the request, and the run hears the reason', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask({ quorum: 2 });
  const ended = rig.approvals.wait(run, new AbortController().signal);
  const heard = assert.rejects(ended, (thrown: SallyportError) => {
    assert.equal(thrown.code, 'ERR_APPROVAL_DENIED');
    return /bob denied it: "not this host"/.test(thrown.message);
  });
  await rig.approvals.decide(ALICE, run.runId, saying('approved'));
  await rig.approvals.decide(BOB, run.runId, saying('denied', { reason: 'not this host' }));
  await heard;
  assert.equal((await rig.approvals.get(ALICE, run.runId)).state, 'denied');
});

test('the requester never decides: not with the key that asked, not with another key of the same name', async (t) => {
  const rig = await openDesk(t);
  const asker = key(ASKER.id, ASKER.name);
  const spelled = key('key_second', ' AGENT-Red ');
  for (const each of [asker, spelled]) rig.keys.set(each.id, each);
  const { runId, stop, end } = await rig.start();
  for (const each of [asker, spelled]) {
    for (const decision of ['approved', 'denied'] as const) {
      assert.equal(await codeOf(rig.approvals.decide(each, runId, saying(decision))), 'ERR_APPROVAL_SELF');
    }
    assert.deepEqual(await rig.approvals.list(each), []);
  }
  assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
  assert.equal(rig.types().filter((type) => type === 'approval.refused').length, 4);
  stop.abort();
  assert.equal(await end, 'ERR_RUN_CANCELLED');
});

test('the key that asked was revoked since: its owner still does not decide with another one', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  rig.keys.delete(ASKER.id);
  const second = key('key_second', ASKER.name);
  rig.keys.set(second.id, second);
  assert.equal(await codeOf(rig.approvals.decide(second, runId, saying('approved'))), 'ERR_APPROVAL_SELF');
});

test('a person who approves twice, also with another key, is one person', async (t) => {
  const rig = await openDesk(t);
  const again = key('key_alice_2', 'Alice');
  rig.keys.set(again.id, again);
  const { runId, end } = await rig.start({ quorum: 2 });
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_APPROVAL_REPEATED');
  assert.equal(await codeOf(rig.approvals.decide(again, runId, saying('approved'))), 'ERR_APPROVAL_REPEATED');
  assert.equal((await rig.store.runs.get(runId))?.approval?.approvals, 1);
  await rig.approvals.decide(BOB, runId, saying('approved'));
  assert.equal(await end, 'consented');
  assert.equal((await rig.store.runs.get(runId))?.approval?.approvals, 2);
});

test('consent to another plan than the one that would run is refused', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  const altered = saying('approved', { digest: OTHER_DIGEST });
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, altered)), 'ERR_PLAN_CHANGED');
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'done');
});

test('a consent whose record says another plan than its request is refused', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  await rig.store.runs.change({ runId, from: 'awaiting_approval', patch: { planDigest: OTHER_DIGEST }, events: [] });
  for (const digest of [DIGEST, OTHER_DIGEST]) {
    const asked = rig.approvals.decide(ALICE, runId, saying('approved', { digest }));
    assert.equal(await codeOf(asked), 'ERR_PLAN_CHANGED');
  }
});

test('what is decided is over, whoever decides next', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  for (const who of [ALICE, BOB]) {
    for (const decision of ['approved', 'denied'] as const) {
      assert.equal(await codeOf(rig.approvals.decide(who, runId, saying(decision))), 'ERR_APPROVAL_OVER');
    }
  }
});

test('a key that was revoked after it was accepted at the door decides nothing', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  rig.keys.delete(ALICE.id);
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_AUTH_FORBIDDEN');
  rig.keys.set(ALICE.id, key(ALICE.id, ALICE.name, ['runs:read']));
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_AUTH_FORBIDDEN');
  assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
});

test('the consent of a key that was revoked since does not count towards the quorum', async (t) => {
  const rig = await openDesk(t);
  const carol = key('key_carol', 'carol');
  rig.keys.set(carol.id, carol);
  const { runId, end } = await rig.start({ quorum: 2 });
  await rig.approvals.decide(ALICE, runId, saying('approved'));
  rig.keys.delete(ALICE.id);
  const view = await rig.approvals.decide(BOB, runId, saying('approved'));
  assert.equal(view.state, 'pending');
  assert.equal((await rig.approvals.decide(carol, runId, saying('approved'))).state, 'approved');
  assert.equal(await end, 'consented');
});

test('the key of an approver is revoked between its consent and the start: nothing runs', async (t) => {
  const rig = await openDesk(t);
  const run = await rig.ask();
  await rig.approvals.decide(ALICE, run.runId, saying('approved'));
  rig.keys.delete(ALICE.id);
  assert.equal(await waiting(rig.restart(), run).end, 'ERR_APPROVAL_DENIED');
  assert.equal(rig.audited.at(-1)?.data?.['rule'], 'approval.standing');
});

test('nobody consents under an engagement that is revoked, expired or gone, and everybody may still say no', async (t) => {
  const rig = await openDesk(t);
  for (const code of ['ERR_ENGAGEMENT_REVOKED', 'ERR_ENGAGEMENT_EXPIRED', 'ERR_ENGAGEMENT_NOT_OPEN'] as const) {
    rig.engagement.refusal = undefined;
    const { runId, end } = await rig.start();
    rig.engagement.refusal = new SallyportError(code, 'no');
    assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), code);
    assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('denied'))), 'done');
    assert.equal(await end, 'ERR_APPROVAL_DENIED');
  }
  const { runId } = await rig.start();
  rig.engagement.isGone = true;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_ENGAGEMENT_UNKNOWN');
});

test('nothing is decided while the audit cannot be written', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  rig.audit.fault = true;
  const before = rig.audited.length;
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_AUDIT_UNAVAILABLE');
  rig.audit.fault = false;
  rig.audit.append = async () => {
    throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
  };
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, saying('approved'))), 'ERR_AUDIT_UNAVAILABLE');
  assert.deepEqual((await rig.store.approvals.get(runId))?.decisions, []);
  assert.equal(rig.audited.length, before);
});

test('a reason that shows nothing is no reason', async (t) => {
  const rig = await openDesk(t);
  const { runId } = await rig.start();
  const empty = saying('approved', { reason: '\u202e\u0000 \u001b[2J' });
  assert.equal(await codeOf(rig.approvals.decide(ALICE, runId, empty)), 'ERR_INPUT_INVALID');
});
