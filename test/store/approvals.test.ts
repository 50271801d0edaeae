import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import type { ApprovalRequest, WeighedDecision } from '../../src/core/approval/types.ts';
import type { Store } from '../../src/core/store/types.ts';
import { openConnection } from '../../src/store/connection.ts';
import { READS } from '../../src/store/reads.ts';
import { openStore } from '../../src/store/store.ts';
import { at, newDirectory, newStore, sampleEvent, sampleRun } from './rig.ts';

const DIGEST = 'd'.repeat(64);

/** A run that waits for consent until 9000. */
async function ask(store: Store, changes: Partial<ApprovalRequest> = {}): Promise<Run> {
  const run = sampleRun({
    state: 'awaiting_approval',
    planDigest: DIGEST,
    approval: { quorum: changes.quorum ?? 1, approvals: 0, expiresAt: at(9000) },
  });
  const approval: ApprovalRequest = {
    runId: run.runId,
    requester: { id: 'key_a', name: 'agent' },
    engagement: 'acme',
    digest: DIGEST,
    quorum: 1,
    approvers: ['alice', 'bob'],
    selfConfirm: false,
    requestedAt: 1000,
    expiresAt: 9000,
    ...changes,
  };
  await store.runs.create(run, { event: sampleEvent(1), approval });
  return run;
}

function says(name: string, patch: Partial<WeighedDecision> = {}): WeighedDecision {
  return { decision: 'approved', by: `key_${name}`, name, reason: 'why', at: at(2000), via: 'rest', ...patch };
}

test('a request comes back as it was asked, with its decisions in their order', async (t) => {
  const { store } = await newStore(t);
  const { runId } = await ask(store, { quorum: 3, selfConfirm: true });
  await store.approvals.decide(runId, DIGEST, says('bob', { at: at(3000), reason: 'a "reason"\u0000' }));
  await store.approvals.decide(runId, DIGEST, says('alice', { at: at(2000), via: 'mcp' }));
  const kept = await store.approvals.get(runId);
  assert.deepEqual(kept, {
    runId,
    requester: { id: 'key_a', name: 'agent' },
    engagement: 'acme',
    digest: DIGEST,
    quorum: 3,
    approvers: ['alice', 'bob'],
    selfConfirm: true,
    requestedAt: 1000,
    expiresAt: 9000,
    decisions: [
      { by: 'key_alice', name: 'alice', decision: 'approved', reason: 'why', at: at(2000), via: 'mcp' },
      { by: 'key_bob', name: 'bob', decision: 'approved', reason: 'a "reason"\u0000', at: at(3000), via: 'rest' },
    ],
    outcome: null,
  });
  assert.deepEqual(await store.approvals.pending(), [kept]);
  assert.equal(await store.approvals.get('nobody'), undefined);
});

test('a decision is taken only when it is the first of its person, in time, about this plan', async (t) => {
  const { store } = await newStore(t);
  const { runId } = await ask(store, { quorum: 2 });
  const kind = async (digest: string, decision: WeighedDecision, id = runId): Promise<string> =>
    (await store.approvals.decide(id, digest, decision)).kind;
  assert.equal(await kind(DIGEST, says('bob'), 'nobody'), 'unknown');
  assert.equal(await kind('e'.repeat(64), says('bob')), 'digest');
  assert.equal(await kind(DIGEST, says('bob', { at: at(9000) })), 'over');
  await assert.rejects(store.approvals.decide(runId, DIGEST, says('bob', { at: 'never' })), { code: 'ERR_INTERNAL' });
  assert.deepEqual((await store.approvals.get(runId))?.decisions, []);
  assert.equal(await kind(DIGEST, says('bob', { at: at(8999) })), 'taken');
  assert.equal(await kind(DIGEST, says('bob')), 'repeated');
  assert.equal(await kind(DIGEST, says('bob', { by: 'key_other', name: ' BOB ' })), 'repeated');
  assert.equal(await kind(DIGEST, says('bob', { name: 'another name' })), 'repeated');
  assert.equal(await kind(DIGEST, says('bob', { decision: 'denied' })), 'repeated');
  assert.equal((await store.runs.get(runId))?.approval?.approvals, 1);
  const last = await store.approvals.decide(runId, DIGEST, says('alice'));
  assert.ok(last.kind === 'taken' && last.approval.outcome === 'approved');
  assert.equal(await kind(DIGEST, says('carol', { decision: 'denied' })), 'over');
  assert.equal(await store.approvals.close(runId, 'withdrawn'), false);
  assert.deepEqual(await store.approvals.pending(), []);
});

test('one denial ends a request of any quorum', async (t) => {
  const { store } = await newStore(t);
  const { runId } = await ask(store, { quorum: 5 });
  await store.approvals.decide(runId, DIGEST, says('bob'));
  const denied = await store.approvals.decide(runId, DIGEST, says('alice', { decision: 'denied' }));
  assert.ok(denied.kind === 'taken' && denied.approval.outcome === 'denied');
});

test('consent that lapsed is not counted', async (t) => {
  const { store } = await newStore(t);
  const { runId } = await ask(store, { quorum: 2 });
  await store.approvals.decide(runId, DIGEST, says('bob'));
  const second = await store.approvals.decide(runId, DIGEST, says('alice', { lapsed: ['key_bob'] }));
  assert.ok(second.kind === 'taken' && second.approval.outcome === null);
  assert.equal((await store.runs.get(runId))?.approval?.approvals, 1);
});

test('a request is closed once, and a run that waits no more is decided by nobody', async (t) => {
  const { store } = await newStore(t);
  const closed = await ask(store);
  const results = await Promise.all([
    store.approvals.close(closed.runId, 'expired'),
    store.approvals.close(closed.runId, 'withdrawn'),
  ]);
  assert.deepEqual(results, [true, false]);
  assert.equal((await store.approvals.get(closed.runId))?.outcome, 'expired');
  const ended = await ask(store);
  const patch = { state: 'ended_by_policy', endedAt: at(3000) } as const;
  await store.runs.change({ runId: ended.runId, from: 'awaiting_approval', patch, events: [] });
  assert.equal((await store.approvals.decide(ended.runId, DIGEST, says('bob'))).kind, 'over');
  assert.deepEqual(await store.approvals.pending(), []);
});

test('of decisions that come at once exactly one makes the outcome', async (t) => {
  const { store } = await newStore(t);
  for (let round = 0; round < 25; round += 1) {
    const { runId } = await ask(store);
    const kinds = await Promise.all([
      store.approvals.decide(runId, DIGEST, says('bob')).then(({ kind }) => kind === 'taken'),
      store.approvals.decide(runId, DIGEST, says('alice', { decision: 'denied' })).then(({ kind }) => kind === 'taken'),
      store.approvals.close(runId, 'expired'),
      store.approvals.close(runId, 'withdrawn'),
    ]);
    assert.equal(kinds.filter(Boolean).length, 1);
  }
});

test('requests and decisions survive a restart, and go with their run', async () => {
  const dataDir = newDirectory();
  const first = await openStore(dataDir);
  const { runId } = await ask(first, { quorum: 2 });
  await first.approvals.decide(runId, DIGEST, says('bob'));
  const kept = await first.approvals.get(runId);
  await first.close();
  const second = await openStore(dataDir);
  try {
    assert.deepEqual(await second.approvals.get(runId), kept);
    const patch = { state: 'cancelled', endedAt: at(3000) } as const;
    await second.runs.change({ runId, from: 'awaiting_approval', patch, events: [] });
    assert.equal(await second.runs.remove(runId), true);
    assert.equal(await second.approvals.get(runId), undefined);
  } finally {
    await second.close();
  }
});

test('the list of what waits reads no more than what waits', async (t) => {
  const { store, path } = await newStore(t);
  await ask(store);
  const connection = openConnection(path, { mode: 'read' });
  t.after(() => connection.close());
  const plans: string[] = [];
  const all: typeof connection.all = (sql: string, ...values: never[]) => {
    plans.push(
      ...connection.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values).map(({ detail }) => detail),
    );
    return connection.all(sql, ...values) as never;
  };
  assert.equal(READS.pendingApprovals({ ...connection, isTransaction: false, all }).length, 1);
  assert.ok(plans.some((plan) => plan.includes('approvals_open')));
  assert.deepEqual(
    plans.filter((plan) => /^SCAN (?!approvals USING INDEX approvals_open)|AUTOMATIC/.test(plan)),
    [],
  );
});
