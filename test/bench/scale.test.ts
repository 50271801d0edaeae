import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const MAIN = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');
const NIGHTLY = process.env['SALLYPORT_TEST_NIGHTLY'] === '1';
/** The goal is twice. A busy machine is given room: a question that reads every row takes hundreds of times longer. */
const MOST = 5;

async function scale(...options: readonly string[]): Promise<string> {
  const args = ['--expose-gc', MAIN, '--only', 'scale', ...options];
  return (await promisify(execFile)(process.execPath, args, { maxBuffer: 16_777_216 })).stdout;
}

/** Name and median ratio of each row of the table with this letter. */
function ratiosOf(stdout: string, letter: string): readonly (readonly [string, number])[] {
  const table = stdout.slice(stdout.indexOf(`(${letter}) `)).split('\n\n')[0] ?? '';
  return table
    .split('\n')
    .slice(3)
    .map((row) => [row.trim().split(/ {2,}/)[0] ?? '', Number(/([\d.]+) x \(/.exec(row)?.[1])]);
}

test('the scale benchmark asks every kind of question and gets as many rows of a small as of a larger store', async () => {
  const stdout = await scale('--smoke');
  const growth = ratiosOf(stdout, 'g');
  const names = growth.map(([name]) => name).join('; ');
  for (const question of ['opening the store', 'one run by its id', 'runs by tool', 'findings by port', 'comparison']) {
    assert.ok(names.includes(question), question);
  }
  for (const [name, ratio] of [...growth, ...ratiosOf(stdout, 'h')]) assert.ok(ratio > 0, name);
});

test('no question takes much longer with 1,000,000 runs than with 1,000', {
  skip: NIGHTLY ? false : 'fills a store with 1,000,000 runs: --nightly',
}, async () => {
  const growth = ratiosOf(await scale('--long'), 'g');
  assert.ok(growth.length > 0);
  assert.deepEqual(
    growth.filter(([, ratio]) => !(ratio <= MOST)),
    [],
  );
});
