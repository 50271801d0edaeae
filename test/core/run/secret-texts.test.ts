import assert from 'node:assert/strict';
import { test } from 'node:test';
import { secretTexts } from '../../../src/core/run/secret-texts.ts';

const tool = { secrets: ['passwords', 'token'] };

test('the texts of the secret properties are found at any depth, and no others', () => {
  const input = { host: 'h', passwords: ['a', { deep: ['b', ''] }], token: 'c' };
  assert.deepEqual([...secretTexts(tool, input)].toSorted(), ['a', 'b', 'c']);
  assert.deepEqual(secretTexts({}, input), []);
});

test('an input that nobody has checked is read without harm', () => {
  for (const input of [undefined, null, 'passwords', 7, [], { passwords: null }, { passwords: undefined }]) {
    assert.deepEqual(secretTexts(tool, input), []);
  }
  let deep: unknown = 'bottom';
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep];
  assert.deepEqual(secretTexts(tool, { token: deep }), ['bottom']);
  assert.ok(secretTexts(tool, { token: Array.from({ length: 100_000 }, String) }).length <= 20_000);
});
