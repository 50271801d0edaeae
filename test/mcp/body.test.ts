import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyFault, MAX_DEPTH, parseBody } from '../../src/mcp/body.ts';

const codeOf = (text: string | Uint8Array) => {
  const parsed = parseBody(Buffer.from(text));
  return parsed instanceof BodyFault ? parsed.code : undefined;
};
const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;

test('a JSON document is parsed as it is', () => {
  assert.deepEqual(parseBody(Buffer.from('{"a":[1,null,"x"]}')), { a: [1, null, 'x'] });
  assert.equal(parseBody(Buffer.from('null')), null);
});

test('what is not JSON is a parse error', () => {
  for (const text of ['', '{', '{"a":1}x', "{'a':1}", '\u0000']) assert.equal(codeOf(text), -32_700);
});

test('bytes that are not UTF-8 are refused, and a byte order mark is no JSON', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0xef, 0xbb, 0xbf, 0x31],
  ])
    assert.equal(codeOf(Uint8Array.from(bytes)), -32_700);
});

test('nesting is accepted up to its bound and not beyond', () => {
  assert.equal(codeOf(nested(MAX_DEPTH)), undefined);
  assert.equal(codeOf(nested(MAX_DEPTH + 1)), -32_600);
  assert.equal(codeOf(`${'['.repeat(500_000)}${']'.repeat(500_000)}`), -32_600);
});

test('a key that would become a prototype is refused wherever and however it is written', () => {
  for (const text of ['{"__proto__":{}}', '{"a":[{"__proto__":1}]}', '{"\\u005f_proto__":{}}'])
    assert.equal(codeOf(text), -32_600);
});
