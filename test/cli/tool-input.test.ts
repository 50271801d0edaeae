import { Type } from '@sinclair/typebox';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputFromJson, inputFromWords } from '../../src/cli/tool-input.ts';

const SCHEMA = Type.Object({
  host: Type.String(),
  ports: Type.String(),
  count: Type.Integer(),
  deep: Type.Boolean(),
  names: Type.Array(Type.String()),
  sizes: Type.Array(Type.Integer()),
});

test('a word becomes what the schema says, and only when it is exactly that', () => {
  const words = ['host=10.0.0.1', 'ports=80', 'count=3', 'deep=true', 'names=a,b', 'sizes=1,2'];
  assert.deepEqual(inputFromWords(words, SCHEMA), {
    host: '10.0.0.1',
    ports: '80',
    count: 3,
    deep: true,
    names: ['a', 'b'],
    sizes: [1, 2],
  });
  assert.deepEqual(inputFromWords(['count=5abc', 'deep=yes', 'sizes=1,x'], SCHEMA), {
    count: '5abc',
    deep: 'yes',
    sizes: [1, 'x'],
  });
});

test('a value may hold further equals signs, and an unknown key goes on as text', () => {
  assert.deepEqual(inputFromWords(['url=http://a/?b=c', 'more=1'], undefined), { url: 'http://a/?b=c', more: '1' });
});

test('a key that names a property of every object is an ordinary key', () => {
  const input = inputFromWords(['__proto__=x', 'constructor=y'], SCHEMA);
  assert.deepEqual(Object.keys(input), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(input), Object.prototype);
});

test('JSON that is no object is refused', () => {
  for (const text of ['', 'null', '[]', '1', '{']) {
    assert.throws(() => inputFromJson(text), { code: 'ERR_INPUT_INVALID' }, text);
  }
  assert.deepEqual(inputFromJson('{"host":"a"}'), { host: 'a' });
});
