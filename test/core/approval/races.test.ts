import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, BOB, codeOf, key, openDesk, saying, waiting } from './rig.ts';

const ROUNDS = 40;
const HOUR = 3_600_000;

test('two people at once make a quorum of two, every time', async (t) => {
  const rig = await openDesk(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { runId, end } = await rig.start({ quorum: 2 });
    const codes = [ALICE, BOB].map((who) => codeOf(rig.approvals.decide(who, runId, saying('approved'))));
    assert.deepEqual(await Promise.all(codes), ['done', 'done']);
    assert.equal(await end, 'consented');
  }
});

test('one person twice at once is counted once, with one key or with two', async (t) => {
  const rig = await openDesk(t);
  const again = key('key_alice_2', 'ALICE');
  rig.keys.set(again.id, again);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { runId, stop, end } = await rig.start({ quorum: 2 });
    const second = round % 2 === 0 ? ALICE : again;
    const codes = [ALICE, second].map((who) => codeOf(rig.approvals.decide(who, runId, saying('approved'))));
    assert.deepEqual((await Promise.all(codes)).toSorted(), ['ERR_APPROVAL_REPEATED', 'done']);
    assert.equal((await rig.store.approvals.get(runId))?.outcome, null);
    stop.abort();
    await end;
  }
});

test('of an approval and a denial at once exactly one decides, and the run hears the same', async (t) => {
  const rig = await openDesk(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const { runId, end } = await rig.start();
    const order = round % 2 === 0 ? (['approved', 'denied'] as const) : (['denied', 'approved'] as const);
    const codes = order.map((decision, at) =>
      codeOf(rig.approvals.decide(at === 0 ? ALICE : BOB, runId, saying(decision))),
    );
    assert.deepEqual((await Promise.all(codes)).toSorted(), ['ERR_APPROVAL_OVER', 'done']);
    const stored = await rig.store.approvals.get(runId);
    assert.equal(stored?.decisions.length, 1);
    assert.equal(stored.outcome, stored.decisions[0]?.decision);
    assert.equal(await end, stored.outcome === 'approved' ? 'consented' : 'ERR_APPROVAL_DENIED');
  }
});

test('an approval while the time runs out: the store has one outcome, and the run hears that one', async (t) => {
  const rig = await openDesk(t);
  const outcomes = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const { runId, end } = await rig.start();
    // In the audit, between the check and the store: the time runs out there in every second round.
    rig.audit.append = async ({ type }) => {
      if (type === 'approval.approved' && round % 2 === 0) rig.clock.wall += HOUR;
    };
    const code = await codeOf(rig.approvals.decide(ALICE, runId, saying('approved')));
    rig.clock.wall += HOUR;
    const outcome = (await rig.store.approvals.get(runId))?.outcome ?? 'none';
    const heard = await end;
    outcomes.add(`${code} ${heard}`);
    if (code === 'done') assert.deepEqual([heard, outcome], ['consented', 'approved']);
    else assert.equal((await rig.store.approvals.get(runId))?.outcome, 'expired');
  }
  assert.deepEqual([...outcomes].toSorted(), ['ERR_APPROVAL_OVER ERR_APPROVAL_EXPIRED', 'done consented']);
});

test('an approval while the run is cancelled: a withdrawn request is never approved', async (t) => {
  const rig = await openDesk(t);
  const seen = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const { runId, end, stop } = await rig.start();
    const approving = codeOf(rig.approvals.decide(ALICE, runId, saying('approved')));
    // Sooner or later, counted in steps and not in time.
    for (let step = 0; step < round; step += 1) await Promise.resolve();
    if (round % 4 === 3) await approving;
    stop.abort();
    const code = await approving;
    const heard = await end;
    const outcome = (await rig.store.approvals.get(runId))?.outcome;
    assert.equal(outcome, code === 'done' ? 'approved' : 'withdrawn');
    assert.ok(heard === 'ERR_RUN_CANCELLED' || (heard === 'consented' && outcome === 'approved'));
    seen.add(code);
  }
  assert.deepEqual([...seen].toSorted(), ['ERR_APPROVAL_OVER', 'done']);
});

test('of two gateways over one store, each with an approval at once, the store lets one person count once', async (t) => {
  const rig = await openDesk(t);
  for (let round = 0; round < ROUNDS / 4; round += 1) {
    const run = await rig.ask({ quorum: 2 });
    const first = rig.approvals;
    const second = rig.restart();
    const codes = [first, second].map((desk) => codeOf(desk.decide(ALICE, run.runId, saying('approved'))));
    assert.deepEqual((await Promise.all(codes)).toSorted(), ['ERR_APPROVAL_REPEATED', 'done']);
    const both = [first, second].map((desk) => codeOf(desk.decide(BOB, run.runId, saying('approved'))));
    assert.equal((await Promise.all(both)).filter((code) => code === 'done').length, 1);
    assert.equal(await waiting(rig.restart(), run).end, 'consented');
  }
});
