import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { growth, LINEAR } from '../../fixtures/cpu-cost.ts';
import { cleanResult, cleanText } from '../../../src/core/redaction/untrusted.ts';

const limits = { maxText: 100, maxItems: 3, maxDepth: 4 };

test('terminal escapes go as a whole, text beside them stays', () => {
  const cases: [string, string][] = [
    ['a\u001b[31mred\u001b[0mb', 'aredb'],
    ['a\u009b1;31mb', 'ab'],
    ['a\u001b]0;title\u0007b', 'ab'],
    ['a\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\b', 'alinkb'],
    ['a\u001bPq#0\u001b\\b', 'ab'],
    ['a\u001b(Bb', 'ab'],
    ['a\u001bcb', 'ab'],
    ['a\u009d0;x\u009cb', 'ab'],
  ];
  for (const [text, cleaned] of cases) assert.equal(cleanText(text, 100), cleaned, JSON.stringify(text));
});

test('an escape that never ends hides nothing', () => {
  assert.equal(cleanText('a\u001b]0;the rest stays', 100), 'a0;the rest stays');
  assert.equal(cleanText('\u001b[\u0001x', 100), 'x');
});

test('a string sequence goes only when it ends as one, within its bound, before anything else begins', () => {
  const content = 'x'.repeat(8192);
  const cases: [string, string][] = [
    [`a\u0090${content}\u009cb`, 'ab'],
    [`a\u0090${content}x\u009cb`, `a${content}xb`],
    ['a\u0090x\u0090y\u0007b', 'ab'],
    ['a\u0090x\u001b]y\u0007b', 'axb'],
    ['a\u0090x\u001b\u001b\\b', 'axb'],
    ['a\u009dx\u0007b\u0007c\u0098y\u009cd', 'abcd'],
    ['\u0090\u0090\u0090', ''],
  ];
  for (const [text, cleaned] of cases)
    assert.equal(cleanText(text, 20_000), cleaned, JSON.stringify(text).slice(0, 60));
});

test('cleaning costs in proportion to the text, also when sequences begin everywhere and end nowhere (CWE-1333)', () => {
  for (const piece of [
    '\u0090',
    '\u001b]',
    '\u009b0',
    '\u001b[',
    '\u001b',
    '\u001bP\u001b',
    '\u0090\u009c',
    '\r',
    '\u202e',
  ]) {
    const ratio = growth((size) => {
      const text = piece.repeat(size / piece.length);
      return () => cleanText(text, size);
    }, 1000);
    assert.ok(ratio < LINEAR, `${JSON.stringify(piece)}: eight times the text costs ${ratio} times as much`);
  }
});

test('controls, bidi marks, zero-width and tag characters and lone surrogates are removed', () => {
  const hidden =
    '\0\b\u007f\u0080\u200b\u200d\u2060\ufeff\u00ad\u061c\u202e\u2066\u2069\u180e\ufff9\u3164\ufe0f\u{e0041}\u{e0100}\ud800';
  assert.equal(cleanText(`a${hidden}b`, 100), 'ab');
  assert.equal(cleanText('grüße 漢字 😀', 100), 'grüße 漢字 😀');
});

test('line breaks of every kind become spaces, or stay as one kind where lines are wanted', () => {
  const text = 'a\r\nb\nc\rd\u2028e\u0085f\tg';
  assert.equal(cleanText(text, 100), 'a b c d e f g');
  assert.equal(cleanText(text, 100, { keepNewlines: true }), 'a\nb\nc\nd\ne\nf g');
});

test('a long text is cut at the bound, says how much is missing, and no character is cut in two', () => {
  assert.equal(cleanText('x'.repeat(100), 100), 'x'.repeat(100));
  assert.equal(cleanText('x'.repeat(101), 100), `${'x'.repeat(100)}…[cut 1 characters]`);
  assert.equal(cleanText('😀😀', 3), '😀…[cut 2 characters]');
  assert.match(cleanText('x'.repeat(10_000_000), 10), /^x{10}…\[cut 9999990 characters\]$/);
});

test('nothing that acts on a terminal or a reader survives, whatever comes (property)', () => {
  const pieces = fc.constantFrom(
    '\u001b',
    '[',
    ']',
    '31m',
    '\u0007',
    '\u009b',
    '\u009c',
    '\\',
    'P',
    '\n',
    '\r',
    '\u202e',
    '\u200b',
    '\ud800',
    '\udc00',
    'a',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(pieces, { maxLength: 60 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 80 }), (text, maxLength) => {
      const cleaned = cleanText(text, maxLength);
      // oxlint-disable-next-line no-control-regex -- the characters are the point
      assert.doesNotMatch(cleaned, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b-\u200f]/u);
      assert.ok(cleaned.isWellFormed());
      assert.ok(cleaned.length <= maxLength + 40);
      const whole = cleanText(text, 100_000, { keepNewlines: true });
      assert.equal(cleanText(whole, 100_000, { keepNewlines: true }), whole);
    }),
  );
});

test('a result is cleaned to its last corner, names of properties too', () => {
  const { value, cuts } = cleanResult({ 'na\u001b[1mme': ['a\u202eb', { port: 80, open: true, none: null }] }, limits);
  assert.deepEqual(value, { name: ['ab', { port: 80, open: true, none: null }] });
  assert.deepEqual(cuts, []);
});

test('what does not fit is left out and told', () => {
  const { value, cuts } = cleanResult(
    { list: [1, 2, 3, 4, 5], text: 'x'.repeat(150), a: { b: { c: { d: {} } } } },
    limits,
  );
  assert.deepEqual((value as { list: unknown }).list, [1, 2, 3]);
  assert.deepEqual(cuts, [
    { path: 'list', kind: 'items', omitted: 2 },
    { path: 'text', kind: 'text', omitted: 50 },
    { path: 'a.b.c.d', kind: 'depth', omitted: 1 },
  ]);
});

test('only JSON comes out', () => {
  const { value } = cleanResult(
    { n: Number.NaN, big: 5n, gone: undefined, call: () => 1, list: [undefined] },
    { ...limits, maxItems: 9 },
  );
  assert.deepEqual(value, { n: null, big: '5', list: [null] });
  const { value: own } = cleanResult(JSON.parse('{"__proto__":{"x":1}}'), limits);
  assert.equal((own as Record<string, unknown>)['x'], undefined);
});
