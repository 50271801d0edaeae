import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { accountLoads, guessesOf } from '../../../src/core/budget/accounts.ts';
import { disjointLoads, foldLoads, readLoads, segments, writeLoads } from '../../../src/core/budget/loads.ts';
import { fuzz } from '../../fixtures/fuzz.ts';

const byNumber = (a: number, b: number) => a - b;
const UNKNOWN = Number.POSITIVE_INFINITY;

const span = fc
  .record({ family: fc.constantFrom(4 as const, 6 as const), first: fc.nat(30), length: fc.nat(8), of: fc.nat(99) })
  .map(({ family, first, length, of }) => ({ family, first: BigInt(first), last: BigInt(first + length), of }));
const amount = fc.oneof(fc.nat(1000), fc.constant(UNKNOWN));
const load = fc
  .record({ span, probes: amount, packetsPerSecond: amount })
  .map(({ span: { family, first, last }, ...amounts }) => ({ family, first, last, ...amounts }));

test('segments carry on each address exactly what lies there', async (t) => {
  const property = fc.property(fc.array(span, { maxLength: 12 }), (spans) => {
    const found = new Map<string, number[]>();
    for (const { family, first, last, on } of segments(spans)) {
      for (let at = first; at <= last; at += 1n) {
        assert.ok(!found.has(`${family} ${at}`));
        found.set(`${family} ${at}`, [...on].map(({ of }) => of).sort(byNumber));
      }
    }
    const expected = new Map<string, number[]>();
    for (const { family, first, last, of } of spans) {
      for (let at = first; at <= last; at += 1n) {
        const key = `${family} ${at}`;
        expected.set(key, [...(expected.get(key) ?? []), of].sort(byNumber));
      }
    }
    // Maps are compared whatever their order.
    assert.deepEqual(found, expected);
  });
  await fuzz(t, property);
});

test('the whole of both address families is a block like any other', () => {
  const all = (family: 4 | 6) => ({ family, first: 0n, last: (1n << BigInt(family === 4 ? 32 : 128)) - 1n, of: 'x' });
  const found = [...segments([all(4), all(6)])].map(({ family, first, last }) => [family, first, last]);
  assert.deepEqual(found, [
    [4, 0n, 2n ** 32n - 1n],
    [6, 0n, 2n ** 128n - 1n],
  ]);
});

test('loads come back from the store as they were, unknown amounts too', async (t) => {
  const property = fc.property(fc.array(load, { maxLength: 8 }), (loads) => {
    const blocks = disjointLoads(loads, 500);
    assert.deepEqual(readLoads(writeLoads(blocks)), blocks);
    const bare = blocks.map((block) => ({ ...block, probes: 0, packetsPerSecond: 0 }));
    assert.deepEqual(readLoads(foldLoads(writeLoads(blocks))), bare);
    assert.equal(foldLoads(foldLoads(writeLoads(blocks))), foldLoads(writeLoads(bare)));
  });
  await fuzz(t, property);
});

test('guesses come back from the store as the same accounts, whatever a login is made of', async (t) => {
  const login = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('*', '', 'a/b', 'İ', '//'));
  const account = fc.oneof(
    login,
    login.map((each) => `ssh://10.0.0.1:22/${each}`),
  );
  const guess = fc.record({ account, guesses: fc.nat(9) });
  const property = fc.property(fc.array(guess, { maxLength: 6 }), (guesses) => {
    const counted = guessesOf(guesses);
    assert.deepEqual(guessesOf(accountLoads(counted)), counted);
  });
  await fuzz(t, property);
});

test('a login with slashes is a login of its place', () => {
  const guesses = guessesOf([
    { account: 'ssh://[fd00::1]:22/a/b', guesses: 1 },
    { account: 'ssh://[fd00::1]:22/*', guesses: 2 },
  ]);
  const logins = guesses.get('ssh://[fd00::1]:22/');
  assert.deepEqual(
    logins,
    new Map([
      ['a/b', 1],
      ['*', 2],
    ]),
  );
});
