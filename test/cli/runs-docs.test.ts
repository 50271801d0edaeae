import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { RUN_EVENT_TYPES, RUN_STATES } from '../../schemas/run-record.ts';
import { ACCESS } from '../../src/core/auth/access.ts';
import { isFinal } from '../../src/core/run/states.ts';
import { ROOT, runCli } from './command-line.ts';

const FILE = join(ROOT, 'docs', 'runs.md');
const TEXT = readFileSync(FILE, 'utf8');

/** Cells of the table in the chapter of a heading. */
function rowsOf(heading: string): readonly (readonly string[])[] {
  const chapter = TEXT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = chapter.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

const options = (text: string): readonly string[] => [...new Set(text.match(/--[a-z]+/g))].sort();

test('docs/runs.md lists every state and says which are final', () => {
  assert.deepEqual(
    rowsOf('States').map(([state, final]) => `${state} ${final}`),
    RUN_STATES.map((state) => `\`${state}\` ${isFinal(state) ? 'yes' : 'no'}`),
  );
});

test('docs/runs.md lists every type of event', () => {
  const listed = rowsOf('Events').map(([type]) => type ?? '');
  assert.deepEqual(listed.toSorted(), RUN_EVENT_TYPES.map((type) => `\`${type}\``).toSorted());
});

test('docs/runs.md has the verbs with the options of the usage', async () => {
  const { stdout } = await runCli(['help']);
  const rows = rowsOf('At the command line');
  assert.equal(rows.length, 7);
  for (const [usage = ''] of rows) {
    const verb = /^`(\w+)/.exec(usage)?.[1] ?? '';
    const line = stdout.split('\n').find((each) => each.startsWith(`  ${verb} `)) ?? '';
    assert.notEqual(line, '', verb);
    // Every verb takes the key file, and the input is `…` in the table.
    const left = options(line).filter((each) => each !== '--input' && each !== '--key');
    assert.deepEqual(options(usage), left, verb);
  }
});

test('docs/runs.md names no route and no file that does not exist', () => {
  for (const [, method = '', path = ''] of TEXT.matchAll(/`(GET|POST|DELETE) (\/[^`\s]*)`/g)) {
    const route = `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
    assert.ok(Object.hasOwn(ACCESS, route), route);
  }
  for (const [, link = ''] of TEXT.matchAll(/\]\(([^)#]+)/g)) assert.ok(existsSync(join(dirname(FILE), link)), link);
});
