import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { createLineReader } from '../../../src/core/tool/lines.ts';

function linesOf(chunks: readonly Buffer[], maxLength = 100): { lines: string[]; cut: number } {
  const lines: string[] = [];
  const reader = createLineReader(maxLength, (line) => void lines.push(line));
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return { lines, cut: reader.cut };
}

describe('createLineReader', () => {
  it('ends a line at \\n, \\r\\n and a bare \\r, and leaves empty lines out', () => {
    assert.deepEqual(linesOf([Buffer.from('a\nb\r\nc\rd\n\n\ne')]).lines, ['a', 'b', 'c', 'd', 'e']);
  });

  it('hands out a long line cut and drops its rest', () => {
    const { lines, cut } = linesOf([Buffer.from('abcdef'), Buffer.from('ghijk\nnext')], 4);
    assert.deepEqual(lines, ['abcd', 'next']);
    assert.equal(cut, 1);
  });

  it('does not keep the rest of an endless line', () => {
    const before = process.memoryUsage().heapUsed;
    const { lines } = linesOf(
      Array.from({ length: 2000 }, () => Buffer.alloc(65_536, 'x')),
      1000,
    );
    assert.deepEqual(lines, ['x'.repeat(1000)]);
    assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024);
  });

  it('reads the same however the bytes are cut, also inside a character', () => {
    const bytes = Buffer.from('Größe\n大きさ\r\n😀 ende\n');
    const expected = ['Größe', '大きさ', '😀 ende'];
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 10 }), (cuts) => {
        const places = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b);
        const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place));
        assert.deepEqual(linesOf(chunks).lines, expected);
      }),
    );
  });
});
