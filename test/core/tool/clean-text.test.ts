import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { cleanText, startOf } from '../../../src/core/tool/clean-text.ts';

const MARK = /…\[cut \d+ characters\]$/;

describe('cleanText', () => {
  it('removes what a terminal would act on', () => {
    assert.equal(cleanText('\u001b[2K/admin\u001b[0m (Status: 200)', 100), '/admin (Status: 200)');
    assert.equal(cleanText('a\u001b]0;owned\u0007b\u001b]8;;http://x\u001b\\c', 100), 'abc');
    assert.equal(cleanText('a\u009b31mb\u001bMc', 100), 'abc');
  });

  it('removes control characters and marks that hide or reorder text, and keeps the lines', () => {
    assert.equal(cleanText('a\0b\u0008c\u007fd\te\nf', 100), 'abcd e\nf');
    assert.equal(cleanText('a\u202eb\u2066c\u200bd\ufeffe\u{e0041}f', 100), 'abcdef');
  });

  it('leaves ordinary text of any language as it is', () => {
    assert.equal(cleanText('Größe – 大きさ – حجم 😀', 100), 'Größe – 大きさ – حجم 😀');
  });

  it('says where it cut and how much is missing', () => {
    assert.equal(cleanText('a'.repeat(100), 100), 'a'.repeat(100));
    assert.equal(cleanText('a'.repeat(103), 100), `${'a'.repeat(100)}…[cut 3 characters]`);
    assert.match(cleanText('\u001b[0m'.repeat(1000), 10), MARK, 'a text that was mostly escapes is cut too');
  });

  it('never gives more than was asked for, nor half a character, nor a control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, maxLength) => {
        const cleaned = cleanText(text, maxLength);
        assert.ok(cleaned.replace(MARK, '').length <= maxLength);
        assert.ok(cleaned.isWellFormed());
        assert.doesNotMatch(cleaned, /(?!\n)\p{Cc}/u);
      }),
    );
  });
});

it('the start of a text never ends in half of a pair', () => {
  assert.equal(startOf('ab😀', 3), 'ab');
  assert.equal(startOf('ab😀', 4), 'ab😀');
  assert.equal(startOf('abc', 2), 'ab');
});
