import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DIFF_STATES } from '../../../schemas/finding.ts';
import { compareRuns } from '../../../src/core/findings/diff.ts';
import type { Coverage, FindingDraft } from '../../../src/core/findings/types.ts';
import { draftOf, memoryFindings, runOf } from './samples.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../../docs/comparison.md'), 'utf8');

/** Cells of the rows of the table in the chapter of a heading. */
function rowsOf(heading: string): string[][] {
  const chapter = TEXT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = chapter.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `tcp 80` at 10.77.0.10, `tcp6 80` at fd00:77::10. */
function draftsIn(cell = ''): FindingDraft[] {
  const [, protocol = '', six, port] = /^(tcp|udp)(6?) (\d+)$/.exec(cell) ?? [];
  if (port === undefined) return [];
  return [draftOf({ protocol, port: Number(port), target: six === '6' ? 'fd00:77::10' : '10.77.0.10', title: 'open' })];
}

/** `tcp 1-1024 10.77.0.0/24`. */
function coverageIn(cell = ''): Coverage {
  const [, protocol = '', from, to, network = ''] = /^(tcp|udp) (\d+)-(\d+) (\S+)$/.exec(cell) ?? [];
  if (from === undefined) return { areas: [], missing: [] };
  return {
    areas: [{ kinds: ['port'], network, protocol, ports: [{ from: Number(from), to: Number(to) }] }],
    missing: [],
  };
}

test('docs/comparison.md lists every state, and no other', () => {
  assert.deepEqual(
    rowsOf('States').map(([state]) => state),
    DIFF_STATES.map((state) => `\`${state}\``),
  );
});

test('every worked example of docs/comparison.md is what a comparison says', async () => {
  const rows = rowsOf('Worked examples');
  assert.ok(rows.length >= 10);
  for (const [what, was, is, before, after, state, why] of rows) {
    const [a, b] = [draftsIn(was), draftsIn(is)];
    assert.notEqual(a.length + b.length, 0, `${what}: no finding can be read`);
    const pair = {
      from: { run: runOf({ runId: 'run_a' }), coverage: coverageIn(before) },
      to: { run: runOf({ runId: 'run_b' }), coverage: coverageIn(after) },
    };
    const { entries } = await compareRuns(memoryFindings({ run_a: a, run_b: b }), pair, { limit: 10, unchanged: true });
    assert.equal(entries.length, 1, what);
    assert.deepEqual([`\`${entries[0]?.state}\``, entries[0]?.why === undefined ? 'no' : 'yes'], [state, why], what);
  }
});
