import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from '@sinclair/typebox';
import { literalsOf } from '../../../src/core/redaction/literals.ts';

test('every word that a schema fixes is found, and no name or description of it', () => {
  const schema = Type.Object({
    state: Type.Union([Type.Literal('open'), Type.Literal('closed')], { description: 'how it is' }),
    list: Type.Array(Type.Object({ kind: Type.Optional(Type.Literal('host')), port: Type.Literal(22) })),
    shade: Type.Unsafe<string>({ enum: ['red', 'green'] }),
    free: Type.String({ default: 'nothing' }),
  });
  assert.deepEqual([...literalsOf(schema)].toSorted(), ['closed', 'green', 'host', 'open', 'red']);
  assert.deepEqual([...literalsOf(undefined)], []);
});
