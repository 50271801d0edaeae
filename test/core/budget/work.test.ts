import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amountsOf } from '../../../src/core/budget/amounts.ts';
import type { Cells } from '../../../src/core/budget/cells.ts';
import type { Entry } from '../../../src/core/budget/entry.ts';
import { leftOf, requireRoom } from '../../../src/core/budget/judge.ts';
import { type Book, createLedger } from '../../../src/core/budget/ledger.ts';
import { NO_TRACE } from '../../../src/core/plan/trace.ts';
import { demand, engagementOf, exhausted, HOUR, loadOf, makeBudgets, MINUTE } from './rig.ts';

const PER_TARGET = { packetsPerSecond: 10_000, probesPerHour: 10_000, runMinutes: 10_000, concurrentRuns: 10_000 };
const RUNS = 1000;
const ADDRESSES = 64;

/** The addresses of one run; no run shares one with another. */
const hostsOf = (run: number) =>
  Array.from({ length: ADDRESSES }, (_, at) => {
    const first = 0x0a_00_00_00n + BigInt((run * ADDRESSES + at) * 2);
    return { family: 4 as const, first, last: first, probes: 1, packetsPerSecond: 1 };
  });

/** A thousand runs of the last hour, each at addresses of its own, in one network that a run has scanned whole. */
function busyLedger() {
  const ledger = createLedger({ now: () => 0 });
  const engagement = engagementOf({ perTarget: PER_TARGET });
  const put = (id: string, targets: ReturnType<typeof hostsOf>) => {
    const amounts = amountsOf(demand(engagement, { targets }));
    const entry: Entry = { id, engagement: 'acme', at: 0, latestEnd: 0, endedAt: 0, amounts };
    ledger.put(entry);
  };
  for (let run = 0; run < RUNS; run += 1) put(`run ${run}`, hostsOf(run));
  put('network', [{ ...loadOf('10.0.0.0/8', 1, 1), family: 4 }]);
  return ledger;
}

/** The same book with a count of the blocks that its questions got. */
function counted(book: Book): { readonly book: Book; readonly looked: () => number } {
  let looked = 0;
  const count = <T extends readonly unknown[]>(found: T): T => {
    looked += found.length;
    return found;
  };
  const cells = book.cells();
  const counting: Cells = {
    ...cells,
    overlapping: (block) => count(cells.overlapping(block)),
    all: () => count(cells.all()),
  };
  return { book: { ...book, cells: () => counting }, looked: () => looked };
}

test('a run looks at what overlaps its own addresses, not at the addresses of every run of the hour', () => {
  const { book, looked } = counted(busyLedger().book('acme'));
  const asked = amountsOf(demand(engagementOf({}), { targets: hostsOf(500) }));
  requireRoom(engagementOf({ perTarget: PER_TARGET }), asked, { book, trace: NO_TRACE });
  const limits = Object.keys(PER_TARGET).length;
  // Of each address its own block and the network around it, once for each limit.
  assert.equal(looked(), limits * ADDRESSES * 2);
});

test('where no address is limited none is looked at, and the index is not even made', () => {
  const book = { ...busyLedger().book('acme'), cells: () => assert.fail('the index was made') };
  const engagement = engagementOf({ probesPerHour: 1e6, runMinutes: 1e6, concurrentRuns: 5 });
  const asked = amountsOf(demand(engagement, { targets: hostsOf(500) }));
  requireRoom(engagement, asked, { book, trace: NO_TRACE });
  assert.equal(leftOf(engagement, book).length, 3);
});

test('a run at no address looks at none', () => {
  const { book, looked } = counted(busyLedger().book('acme'));
  const engagement = engagementOf({ perTarget: PER_TARGET });
  requireRoom(engagement, amountsOf(demand(engagement)), { book, trace: NO_TRACE });
  assert.equal(looked(), 0);
});

test('what is left is looked for once after a change, however often it is asked for', async () => {
  const { budgets, clock } = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 1000, perTarget: PER_TARGET });
  const run = await budgets.reserve(demand(engagement, { targets: hostsOf(1) }));
  const seen = [budgets.left(engagement)];
  assert.equal(budgets.left(engagement), seen[0]);
  await run.settle({ runMs: 0 });
  seen.push(budgets.left(engagement));
  assert.equal(budgets.left(engagement), seen[1]);
  clock.advance(HOUR);
  seen.push(budgets.left(engagement));
  const edited = engagementOf({ probesPerHour: 2000 });
  seen.push(budgets.left(edited));
  assert.equal(new Set(seen).size, 4);
  assert.deepEqual(
    seen.map((left) => left[0]?.left),
    [900, 900, 1000, 2000],
  );
});

test('the metric is measured once for many runs, and within a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rig = await makeBudgets();
  const engagement = engagementOf({ probesPerHour: 1000, perTarget: PER_TARGET });
  for (let count = 0; count < 5; count += 1) {
    const run = await rig.budgets.reserve(demand(engagement, { targets: hostsOf(count) }));
    await run.settle({ runMs: 0 });
  }
  assert.equal(rig.gauges.size, 0);
  t.mock.timers.tick(1000);
  assert.equal(rig.gauges.get('acme probesPerHour'), 0.5);
  assert.equal(rig.measured.length, 5);
  t.mock.timers.tick(60_000);
  assert.equal(rig.measured.length, 5, 'nothing has changed');
});

test('run time at targets is kept after the hour only where it is limited', () => {
  let now = 0;
  const ledger = createLedger({ now: () => now });
  ledger.keepTargets('limited');
  for (const engagement of ['limited', 'free']) {
    const amounts = amountsOf(demand(engagementOf({}), { targets: hostsOf(1), runMs: MINUTE }));
    ledger.put({ id: engagement, engagement, at: 0, latestEnd: 0, endedAt: 0, amounts });
    ledger.addEarlier({ engagement, targets: '[[4,"1","1"]]', runMs: MINUTE });
  }
  now = HOUR;
  const kept = ['limited', 'free'].map((engagement) => {
    const book = ledger.book(engagement);
    return [book.cells().all().length, book.whole.earlierMs];
  });
  assert.deepEqual(kept, [
    [ADDRESSES + 1, 2 * MINUTE],
    [0, 2 * MINUTE],
  ]);
});

test('run time of one address by runs at different sets of targets is one sum', () => {
  const ledger = createLedger({ now: () => 0 });
  ledger.keepTargets('acme');
  for (let set = 0; set < 1000; set += 1) {
    ledger.addEarlier({
      engagement: 'acme',
      targets: `[[4,"7","7"],[4,"${10 + (set % 5)}","${10 + (set % 5)}"]]`,
      runMs: 1,
    });
  }
  const found = ledger.book('acme').cells().all();
  assert.deepEqual(
    found.map(({ first, earlierMs }) => `${first} ${earlierMs}`),
    ['7 1000', '10 200', '11 200', '12 200', '13 200', '14 200'],
  );
});

test('a limit of run time at targets that is added later counts the last hour, and everything after a restart', async () => {
  const rig = await makeBudgets();
  const free = engagementOf({ runMinutes: 100 });
  const limited = engagementOf({ perTarget: { runMinutes: 10 } });
  const targets = [loadOf('10.0.0.1', 1)];
  const use = async () => (await rig.budgets.reserve(demand(free, { targets }))).settle({ runMs: 4 * MINUTE });
  await use();
  rig.clock.advance(2 * HOUR);
  await use();
  const usedOf = (budgets: typeof rig.budgets) => budgets.left(limited)[0]?.used;
  assert.equal(usedOf(rig.budgets), 4);
  rig.clock.advance(2 * HOUR);
  assert.equal(usedOf(rig.budgets), 4, 'kept from the edit on');
  rig.clock.restart();
  const { budgets } = await rig.again([limited]);
  assert.equal(usedOf(budgets), 8);
  const more = demand(limited, { runMs: 3 * MINUTE, targets });
  assert.throws(() => budgets.check(more), exhausted('budget.per-target.run-minutes', { used: 8, target: '10.0.0.1' }));
});
