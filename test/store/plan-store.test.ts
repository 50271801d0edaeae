import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { PlanView } from '../../schemas/plan.ts';
import type { Store, StoredPlan } from '../../src/core/store/types.ts';
import { openConnection } from '../../src/store/connection.ts';
import { openStore } from '../../src/store/store.ts';
import { newDirectory, newStore, sampleEvent, sampleRun } from './rig.ts';

const HASH = 'a'.repeat(64);
const DAY = 24 * 3_600_000;

function samplePlan(changes: Partial<StoredPlan> = {}): StoredPlan {
  const planId = `plan_${randomBytes(8).toString('hex')}`;
  const view: PlanView = {
    planId,
    tool: 'nmap',
    decision: 'allowed',
    degraded: [],
    rules: [],
    createdAt: new Date(1000).toISOString(),
  };
  return {
    planId,
    owner: 'key_a',
    tool: 'nmap',
    createdAt: 1000,
    expiresAt: 5000,
    digests: { all: HASH, targets: HASH, engagement: HASH, input: HASH, tool: HASH, rest: HASH },
    input: { targets: ['10.0.0.1'], password: 'planted-password' },
    options: { engagement: 'default' },
    view,
    usedBy: null,
    ...changes,
  };
}

const use = (store: Store, plan: StoredPlan, more = {}) =>
  store.runs.create(sampleRun({ startedAt: null, ...more }), { event: sampleEvent(1), planId: plan.planId });

describe('a stored plan', () => {
  it('comes back as it was put, and an unknown one does not', async (t) => {
    const { store } = await newStore(t);
    const plan = samplePlan();
    await store.plans.put(plan);
    assert.deepEqual(await store.plans.get(plan.planId), plan);
    assert.equal(await store.plans.get('plan_none'), undefined);
    await assert.rejects(store.plans.put(plan), { code: 'ERR_INTERNAL' });
  });

  it('is used by exactly one of many runs that are created at once, and only that run is there', async (t) => {
    const { store } = await newStore(t);
    for (let round = 0; round < 20; round += 1) {
      const plan = samplePlan();
      await store.plans.put(plan);
      const runs = Array.from({ length: 6 }, () => sampleRun({ startedAt: null }));
      const created = await Promise.all(
        runs.map((run) => store.runs.create(run, { event: sampleEvent(1), planId: plan.planId })),
      );
      const winners = created.flatMap(({ kind }, at) => (kind === 'created' ? [runs[at]?.runId] : []));
      assert.equal(winners.length, 1);
      assert.ok(created.every(({ kind }) => kind === 'created' || kind === 'plan_used'));
      const stored = await Promise.all(runs.map(({ runId }) => store.runs.get(runId)));
      assert.equal(stored.filter((run) => run !== undefined).length, 1);
      const kept = await store.plans.get(plan.planId);
      assert.deepEqual([kept?.usedBy, kept?.input], [winners[0], {}]);
    }
  });

  it('of another owner, a swept one, or none at all is not used', async (t) => {
    const { store } = await newStore(t);
    const plan = samplePlan();
    await store.plans.put(plan);
    assert.deepEqual(await use(store, plan, { owner: 'key_b' }), { kind: 'plan_used' });
    assert.deepEqual(await use(store, { ...plan, planId: 'plan_none' }), { kind: 'plan_used' });
    await store.plans.sweep(5001);
    assert.deepEqual(await use(store, plan), { kind: 'plan_used' });
    assert.equal((await store.plans.get(plan.planId))?.usedBy, null);
  });

  it('that its idempotency key has used already answers the run of the first time', async (t) => {
    const { store } = await newStore(t);
    const plan = samplePlan();
    await store.plans.put(plan);
    const first = sampleRun({ startedAt: null });
    const extras = { event: sampleEvent(1), planId: plan.planId, idempotency: { key: 'k', digest: HASH } };
    assert.deepEqual(await store.runs.create(first, extras), { kind: 'created' });
    const again = await store.runs.create(sampleRun({ startedAt: null }), extras);
    assert.deepEqual(again, { kind: 'known', runId: first.runId });
  });

  it('loses its input when it expires and everything a day later', async (t) => {
    const { store } = await newStore(t);
    const [early, late] = [samplePlan({ expiresAt: 2000 }), samplePlan({ expiresAt: 9000 })];
    for (const plan of [early, late]) await store.plans.put(plan);
    assert.equal(await store.plans.sweep(2000), 0, 'it can be run until then');
    assert.equal(await store.plans.sweep(3000), 1);
    assert.equal(await store.plans.sweep(3000), 0);
    const swept = await store.plans.get(early.planId);
    assert.deepEqual([swept?.input, swept?.expiresAt], [{}, 0]);
    assert.deepEqual(await store.plans.get(late.planId), late);
    await store.plans.sweep(DAY + 2001);
    assert.equal(await store.plans.get(early.planId), undefined);
    assert.notEqual(await store.plans.get(late.planId), undefined);
  });

  it('is there after a restart, used or not', async () => {
    const dataDir = newDirectory();
    const [free, used] = [samplePlan(), samplePlan()];
    const store = await openStore(dataDir);
    for (const plan of [free, used]) await store.plans.put(plan);
    await use(store, used);
    await store.close();
    const again = await openStore(dataDir);
    assert.deepEqual(await again.plans.get(free.planId), free);
    assert.deepEqual(await use(again, used), { kind: 'plan_used' });
    await again.close();
  });
});

it('the passwords of a plan are in the file neither after its run nor after it expired', async () => {
  for (const end of ['used', 'expired'] as const) {
    const dataDir = newDirectory();
    const store = await openStore(dataDir);
    const passwords = Array.from({ length: 3000 }, (_none, at) => `planted-password-${at}`);
    const plan = samplePlan({ input: { passwords } });
    await store.plans.put(plan);
    if (end === 'used') await use(store, plan);
    else await store.plans.sweep(6000);
    await store.close();
    for (const name of readdirSync(dataDir, { withFileTypes: true }).filter((entry) => entry.isFile()))
      assert.ok(!readFileSync(join(dataDir, name.name)).includes('planted-password-'), `${end}: ${name.name}`);
  }
});

it('a run that needs consent is stored with its request in one transaction', async (t) => {
  const { store, path } = await newStore(t);
  const run = sampleRun({ state: 'awaiting_approval', startedAt: null });
  const approval = {
    runId: run.runId,
    requester: { id: 'key_a', name: 'a' },
    engagement: 'default',
    digest: HASH,
    quorum: 1,
    approvers: null,
    selfConfirm: false,
    requestedAt: 1000,
    expiresAt: 4000,
  };
  await store.runs.create(run, { event: sampleEvent(1), approval });
  const connection = openConnection(path, { mode: 'read' });
  const sql = 'SELECT request, expires, outcome FROM approvals JOIN runs ON runs.num = approvals.run WHERE runs.id = ?';
  const row = connection.get<{ request: string; expires: number; outcome: string | null }>(sql, run.runId);
  connection.close();
  assert.deepEqual([JSON.parse(row?.request ?? ''), row?.expires, row?.outcome], [approval, 4000, null]);
});
