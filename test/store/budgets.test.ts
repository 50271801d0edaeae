import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeLoads } from '../../src/core/budget/loads.ts';
import type { StoredReservation } from '../../src/core/budget/types.ts';
import { openStore } from '../../src/store/store.ts';
import { newStore } from './rig.ts';

const UNKNOWN = Number.POSITIVE_INFINITY;
const block = (first: bigint, probes: number) => ({
  family: 4 as const,
  first,
  last: first + 7n,
  probes,
  packetsPerSecond: 5,
});

let lastId = 0;
const row = (changes: Partial<StoredReservation> = {}): StoredReservation => ({
  id: `run_${++lastId}.n`,
  engagement: 'acme',
  at: 1000,
  probes: 10,
  runMs: 2.5,
  targets: writeLoads([block(8n, 1)]),
  accounts: [{ account: 'ssh://10.0.0.1:22/rööt\0"', guesses: 3 }],
  ...changes,
});

test('a reservation comes back as it was, after a restart too, and unknown amounts stay unknown', async (t) => {
  const { store, dataDir } = await newStore(t);
  const open = row();
  const unknown = row({
    settledAt: 2000,
    probes: UNKNOWN,
    runMs: UNKNOWN,
    accounts: [{ account: 'x', guesses: UNKNOWN }],
  });
  await store.budgets.put(open);
  await store.budgets.put(unknown);
  await store.close();
  const again = await openStore(dataDir);
  t.after(() => again.close());
  const { recent } = await again.budgets.load(0, []);
  assert.deepEqual(
    new Map(recent.map((each) => [each.id, each])),
    new Map([
      [open.id, open],
      [unknown.id, unknown],
    ]),
  );
});

test('what was put again replaces, and what was dropped is gone', async (t) => {
  const { store } = await newStore(t);
  const one = row();
  await store.budgets.put(one);
  await store.budgets.put({ ...one, settledAt: 3000, probes: 1 });
  const other = row();
  await store.budgets.put(other);
  await store.budgets.drop(other.id);
  await store.budgets.drop('run_none');
  assert.deepEqual((await store.budgets.load(0, ['acme', 'two'])).recent, [{ ...one, settledAt: 3000, probes: 1 }]);
});

test('recent is what is open or was settled since; of everything else the run time is told', async (t) => {
  const { store } = await newStore(t);
  const [open, at, before] = [row({ at: 1 }), row({ settledAt: 5000 }), row({ settledAt: 4999 })];
  for (const each of [open, at, before]) await store.budgets.put(each);
  const { recent, earlier } = await store.budgets.load(5000, ['acme']);
  assert.deepEqual(recent.map(({ id }) => id).sort(), [open.id, at.id].sort());
  assert.deepEqual(earlier, [{ engagement: 'acme', targets: before.targets, runMs: 2.5 }]);
});

test('folding keeps the run time of each engagement at each set of targets, and nothing else', async (t) => {
  const { store } = await newStore(t);
  const other = writeLoads([block(16n, 1)]);
  const rows = [
    ...Array.from({ length: 1200 }, (_, index) =>
      row({ settledAt: 2000, runMs: 0.5, targets: writeLoads([block(8n, index)]) }),
    ),
    row({ settledAt: 2000, runMs: 4, targets: other }),
    row({ settledAt: 2000, runMs: 4, targets: other, engagement: 'two' }),
    row({ settledAt: 2000, runMs: 0, engagement: 'three' }),
  ];
  const kept = [row({ settledAt: 9000 }), row({ at: 1 })];
  await Promise.all([...rows, ...kept].map(async (each) => store.budgets.put(each)));
  assert.equal(await store.budgets.fold(8000), 1203);
  assert.equal(await store.budgets.fold(8000), 0);
  // What is folded later goes to the same sum.
  await store.budgets.put(row({ settledAt: 2000, runMs: 100, targets: writeLoads([block(8n, 77)]) }));
  assert.equal(await store.budgets.fold(8000), 1);
  const { recent, earlier } = await store.budgets.load(0, ['acme', 'two']);
  assert.deepEqual(recent.map(({ id }) => id).sort(), kept.map(({ id }) => id).sort());
  const sums = earlier.map(({ engagement, targets, runMs }) => `${engagement} ${targets} ${runMs}`);
  assert.deepEqual(sums.sort(), ['acme [[4,"16","23"]] 4', 'acme [[4,"8","15"]] 700', 'two [[4,"16","23"]] 4']);
});

test('a store opened for reading takes no reservation', async (t) => {
  const { store, dataDir } = await newStore(t);
  await store.budgets.put(row());
  const reading = await openStore(dataDir, { readOnly: true });
  t.after(() => reading.close());
  await assert.rejects(reading.budgets.put(row()), { code: 'ERR_STORE_UNAVAILABLE' });
  assert.equal((await reading.budgets.load(0, [])).recent.length, 1);
});

test('run time is told by target only for those engagements that ask for it, and in one sum for each other', async (t) => {
  const { store } = await newStore(t);
  const other = writeLoads([block(16n, 1)]);
  for (const engagement of ['acme', 'two']) {
    for (const targets of [row().targets, other]) await store.budgets.put(row({ settledAt: 1, engagement, targets }));
  }
  const { earlier } = await store.budgets.load(5000, ['two', 'none']);
  const told = earlier.map(({ engagement, targets, runMs }) => `${engagement} ${targets} ${runMs}`);
  assert.deepEqual(told.sort(), ['acme [] 5', `two ${row().targets} 2.5`, `two ${other} 2.5`].sort());
});
