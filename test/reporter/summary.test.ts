import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const REPORTER = join(import.meta.dirname, 'summary.ts');
const TESTS = `
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
test('works', (t) => t.diagnostic('tests 99'));
test('waits', { skip: 'needs\\nroot' }, () => {});
describe('group', { skip: 'no lab' }, () => { it('inner', () => {}); });
test('no word', { skip: true }, () => {});
test('breaks', () => assert.equal(1, 2));
`;

test('the report ends with what failed before, every skipped test with its reason, and the counters of node', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport reporter '));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'a.test.mjs'), TESTS);
  // Not ours: with NODE_TEST_CONTEXT the child would report to the runner of this test instead.
  const { PATH = '' } = process.env;
  const args = ['--test', `--test-reporter=${REPORTER}`, '--test-reporter-destination=stdout', 'a.test.mjs'];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: directory,
    env: { PATH, CHECK_FAILED: ' lint typecheck' },
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stdout, /failing tests:[\s\S]*breaks/);
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.slice(-12).map((line) => line.replace(/ [\d.]+$/, '')),
    [
      'failed before the tests: lint, typecheck',
      'skipped: waits (a.test.mjs): needs root',
      'skipped: group (a.test.mjs): no lab',
      'skipped: no word (a.test.mjs): no reason given',
      ...['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'].map((name) => `ℹ ${name}`),
    ],
  );
  assert.ok(lines.includes('ℹ tests 4') && lines.includes('ℹ fail 1') && lines.includes('ℹ skipped 2'), stdout);
});
