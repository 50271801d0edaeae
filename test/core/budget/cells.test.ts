import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { amountsOf } from '../../../src/core/budget/amounts.ts';
import { type Block, type Cell, createCells } from '../../../src/core/budget/cells.ts';
import type { Entry } from '../../../src/core/budget/entry.ts';
import { createPile, lay, layEarlier, lift, sumsOf } from '../../../src/core/budget/pile.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { demand, engagementOf, loadOf } from './rig.ts';

const ENGAGEMENT = engagementOf({});
const UNKNOWN = Number.POSITIVE_INFINITY;

const block = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    first: fc.nat(60),
    length: fc.constantFrom(0, 0, 1, 2, 3, 9, 40),
  })
  .map(({ family, first, length }) => ({ family, first: BigInt(first), last: BigInt(first + length) }));

function entryOf(blocks: readonly Block[], changes: Partial<Entry> = {}): Entry {
  const targets = blocks.map((each) => ({ ...each, probes: 1, packetsPerSecond: 1 }));
  const amounts = amountsOf(demand(ENGAGEMENT, { targets }));
  return { id: '', engagement: 'acme', at: 0, latestEnd: 0, endedAt: undefined, amounts, ...changes };
}

const shown = (cells: readonly Cell[]) =>
  cells.map(({ family, first, last, parts }) => `${family} ${first} ${last} ${parts?.size ?? 0}`);

test('the index of addresses finds what overlaps a block, and nothing else, whatever came and went', async (t) => {
  const step = fc.record({ blocks: fc.array(block, { maxLength: 4 }), leaves: fc.option(fc.nat(9)), asked: block });
  const property = fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const cells = createCells();
    const laid: Entry[] = [];
    for (const { blocks, leaves, asked } of steps) {
      const entry = entryOf(blocks);
      laid.push(entry);
      cells.lay(entry);
      const [gone] = leaves === null ? [] : laid.splice(leaves % laid.length, 1);
      if (gone !== undefined) cells.lift(gone);
      const counts = new Map<string, number>();
      const [all, near] = [new Set<string>(), new Set<string>()];
      for (const each of laid.flatMap(({ amounts }) => amounts.blocks)) {
        const key = `${each.family} ${each.first} ${each.last}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
        all.add(key);
        if (each.family === asked.family && each.first <= asked.last && each.last >= asked.first) near.add(key);
      }
      const expected = (keys: Iterable<string>) => [...keys].map((key) => `${key} ${counts.get(key)}`).sort();
      assert.deepEqual(shown(cells.all()).sort(), expected(all));
      assert.deepEqual(shown(cells.overlapping(asked)).sort(), expected(near));
      for (const order of [cells.all(), cells.overlapping(asked)]) {
        const sorted = order.toSorted(
          (a, b) => a.family - b.family || Number(a.first - b.first) || Number(b.last - a.last),
        );
        assert.deepEqual(shown(order), shown(sorted));
      }
    }
  });
  await fuzz(t, property);
});

test('hosts of thousands of IPv6 networks are told apart, also those that end alike', () => {
  const cells = createCells();
  const hosts = Array.from({ length: 3000 }, (_, at) => {
    const first = (BigInt(at) << 64n) + 1n;
    return { family: 6 as const, first, last: first };
  });
  cells.layEarlier(hosts.toReversed(), 5);
  assert.equal(cells.all().length, 3000);
  assert.ok(cells.all().every((cell, at) => cell.first === hosts[at]?.first));
  cells.layEarlier(hosts.slice(7, 8), 2);
  const found = hosts.slice(6, 9).flatMap((host) => cells.overlapping(host).map(({ earlierMs }) => earlierMs));
  assert.deepEqual(found, [5, 7, 5]);
});

test('a sum from which things were taken again is what a new sum of the rest would be', async (t) => {
  const amount = fc.oneof(fc.nat(1000), fc.double({ min: 0, max: 10, noNaN: true }), fc.constant(UNKNOWN));
  const part = fc.record({
    packetsPerSecond: amount,
    probes: amount,
    runMs: fc.oneof(fc.nat(999), fc.constant(UNKNOWN)),
  });
  const step = fc.record({
    part,
    ended: fc.boolean(),
    leaves: fc.option(fc.nat(9)),
    earlierMs: fc.nat(3),
    looks: fc.boolean(),
  });
  const property = fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const pile = createPile();
    const [laid, earlier] = [new Map<Entry, { packetsPerSecond: number; probes: number }>(), [0]];
    for (const {
      part: { runMs, ...rates },
      ended,
      leaves,
      earlierMs,
      looks,
    } of steps) {
      const base = entryOf([], ended ? { endedAt: 0 } : {});
      const entry = { ...base, amounts: { ...base.amounts, runMs } };
      laid.set(entry, rates);
      lay(pile, entry, rates);
      layEarlier(pile, earlierMs);
      earlier.push(earlierMs);
      const gone = leaves === null ? undefined : [...laid.keys()][leaves % laid.size];
      if (gone !== undefined) {
        laid.delete(gone);
        lift(pile, gone);
      }
      if (!looks) continue;
      const anew = createPile();
      for (const [each, rest] of laid) lay(anew, each, rest);
      layEarlier(
        anew,
        earlier.reduce((sum, each) => sum + each),
      );
      const [kept, fresh] = [sumsOf(pile), sumsOf(anew)];
      for (const counted of ['packetsPerSecond', 'concurrentRuns', 'probesPerHour', 'runMinutes'] as const) {
        const off = kept[counted] === fresh[counted] ? 0 : Math.abs(kept[counted] - fresh[counted]);
        assert.ok(off < 1e-9, `${counted}: ${kept[counted]}, not ${fresh[counted]}`);
      }
    }
  });
  await fuzz(t, property);
});

test('what was taken of a block and given back leaves nothing in the index', () => {
  const cells = createCells();
  const entry = entryOf([loadOf('10.0.0.0/24'), loadOf('10.0.0.7'), loadOf('fd00::/64')]);
  cells.lay(entry);
  assert.equal(cells.all().length, 4);
  cells.lift(entry);
  assert.deepEqual(cells.all(), []);
});
