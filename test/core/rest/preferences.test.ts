import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '../../../src/core/errors.ts';
import { idempotencyKeyOf } from '../../../src/core/rest/idempotency-key.ts';
import { appliedPreferences, preferencesOf } from '../../../src/core/rest/preferences.ts';
import { integerOf, momentOf, statesOf } from '../../../src/core/rest/query.ts';

const invalid = (thrown: unknown) => thrown instanceof SallyportError && thrown.code === 'ERR_INPUT_INVALID';

const READ: readonly (readonly [header: string, isAsync: boolean, waitMs: number | undefined])[] = [
  ['', false, undefined],
  ['respond-async', true, undefined],
  ['wait=10', false, 10_000],
  ['wait=0', false, 0],
  ['wait=3600', false, 3_600_000],
  ['wait="10"', false, 10_000],
  ['wait = 10', false, 10_000],
  ['respond-async, wait=10', true, 10_000],
  ['wait=10,respond-async', true, 10_000],
  ['Respond-Async, WAIT=7', true, 7000],
  ['wait=5, wait=9', false, 5000],
  ['wait=5, wait=nonsense', false, 5000],
  [', ,respond-async,', true, undefined],
  ['return=minimal; foo="some, respond-async", handling=strict', false, undefined],
  ['foo="\\", respond-async"', false, undefined],
  ['respond-async; foo=bar; baz', true, undefined],
  ['respond-async=""', true, undefined],
  ['wait=10; priority="x;y"', false, 10_000],
];

for (const [header, isAsync, waitMs] of READ) {
  test(`Prefer: ${header || '(empty)'} is read as RFC 7240 says`, () => {
    assert.deepEqual(preferencesOf(header), { isAsync, waitMs });
  });
}

test('several Prefer headers are one list, and the first of a preference counts', () => {
  assert.deepEqual(preferencesOf(['wait=5', 'wait=9, respond-async']), { isAsync: true, waitMs: 5000 });
  assert.deepEqual(preferencesOf(undefined), { isAsync: false, waitMs: undefined });
});

const MALFORMED = [
  'wait',
  'wait=',
  'wait=-1',
  'wait=+1',
  'wait=1.5',
  'wait=1e3',
  'wait=3601',
  'wait=99999999999999999999',
  'wait=ten',
  'respond-async=yes',
  'respond-async"',
  'foo="unterminated',
  ';wait=1',
  'two words',
  'wait=1 0',
];
for (const header of MALFORMED) {
  test(`Prefer: ${header} is refused and not guessed at`, () => {
    assert.throws(() => preferencesOf(header), invalid);
  });
}

test('a hostile Prefer header costs time in proportion to its length', () => {
  for (const piece of ['; ', ';\t \t', ', ', '"\\', '"a', 'a=', 'a;b=;']) {
    const short = Math.max(1, measure(piece.repeat(20_000)));
    const long = measure(piece.repeat(160_000));
    // Eight times the text: quadratic would be sixty-four times the time.
    assert.ok(long / short < 32, `${JSON.stringify(piece)}: ${short} ms, then ${long} ms`);
  }
});

test('what was applied is said, and nothing that was not', () => {
  const both = { isAsync: true, waitMs: 10_000 };
  assert.equal(appliedPreferences(both, 'going_on'), 'respond-async, wait=10');
  assert.equal(appliedPreferences(both, 'ended'), 'wait=10');
  assert.equal(appliedPreferences({ isAsync: true, waitMs: undefined }, 'ended'), undefined);
  assert.equal(appliedPreferences({ isAsync: false, waitMs: undefined }, 'going_on'), undefined);
});

test('an idempotency key is a quoted string or the same bare, and both are one key', () => {
  const bare = '8e03978e-40d5-43dd-bc93-6894a57f9324';
  assert.equal(idempotencyKeyOf(bare), bare);
  assert.equal(idempotencyKeyOf(`"${bare}"`), bare);
  assert.equal(idempotencyKeyOf('"a \\"quoted\\" \\\\ key"'), 'a "quoted" \\ key');
  assert.equal(idempotencyKeyOf('x'.repeat(255)), 'x'.repeat(255));
  assert.equal(idempotencyKeyOf(undefined), undefined);
});

const NO_KEYS = [
  '',
  '""',
  'x'.repeat(256),
  `"${'x'.repeat(256)}"`,
  'a, b',
  '"a", "b"',
  '"a"; p=1',
  '"a',
  'a"b',
  'ü',
  '"\\n"',
];
for (const header of NO_KEYS) {
  test(`Idempotency-Key: ${header.slice(0, 12)} (${header.length} characters) is refused`, () => {
    assert.throws(() => idempotencyKeyOf(header), invalid);
  });
}

test('a number of a query has one spelling and its range', () => {
  const range = { name: 'limit', minimum: 1, maximum: 200 };
  assert.equal(integerOf(undefined, range), undefined);
  assert.equal(integerOf('1', range), 1);
  assert.equal(integerOf('200', range), 200);
  for (const text of ['', '0', '201', '05', '+5', '-5', ' 5', '5.0', '1e2', '0x10', 'NaN', '٥', '5\n']) {
    assert.throws(() => integerOf(text, range), invalid, JSON.stringify(text));
  }
});

test('a leap second is a text of the right form and no moment', () => {
  assert.equal(momentOf('2026-01-02T03:04:05Z', 'since'), '2026-01-02T03:04:05Z');
  assert.throws(() => momentOf('2016-12-31T23:59:60Z', 'since'), invalid);
});

test('states are repeated or have commas between, each once', () => {
  assert.deepEqual(statesOf('queued,running'), ['queued', 'running']);
  assert.deepEqual(statesOf(['queued', 'running,queued']), ['queued', 'running']);
  assert.equal(statesOf(undefined), undefined);
});

/** The best of three: a pause of the machine is not the parser's. */
function measure(header: string): number {
  return Math.min(once(header), once(header), once(header));
}

function once(header: string): number {
  const start = performance.now();
  try {
    preferencesOf(header);
  } catch (thrown) {
    if (!invalid(thrown)) throw thrown;
  }
  return performance.now() - start;
}
