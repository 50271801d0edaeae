import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const MAIN = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');
const RATIO = /\d x \([\d.]+–[\d.]+\)/;

test('the benchmark runs to its end and prints a ratio in every row of every table', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MAIN, '--smoke']);
  const tables = stdout.split(/^\((?=[a-z]\) )/m).slice(1);
  assert.deepEqual(
    tables.map((table) => table[0]),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'],
  );
  for (const table of tables) {
    // What follows an empty line says what could not be measured.
    const [, , , ...rows] = (table.split('\n\n')[0] ?? '').split('\n');
    assert.ok(rows.length > 0, table);
    for (const row of rows) assert.match(row, RATIO);
  }
});
