import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FINDING_KINDS, FindingSchema } from '../../schemas/finding.ts';
import { RATED_SCRIPTS } from '../../src/tools/nmap/severity.ts';
import { NMAP_SCRIPTS } from '../../src/tools/nmap/scripts.ts';
import { concluded } from './drafts.ts';
import { prepare, registeredTools, samplesOf } from './under-test.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../docs/findings.md'), 'utf8');
const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

/** Rows of the table whose head begins with a word, without head and rule. */
function rowsOf(head: string): string[][] {
  const lines = TEXT.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} `));
  assert.ok(start >= 0, `docs/findings.md has no table of ${head}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}

test('docs/findings.md names every kind of finding, and no other', () => {
  assert.deepEqual(
    rowsOf('kind').map(([kind]) => quoted(kind)[0]),
    FINDING_KINDS.toSorted(byTable),
  );
});

test('docs/findings.md names no field that a finding does not have', () => {
  const fields = rowsOf('field').flatMap(([cell]) => quoted(cell));
  assert.deepEqual(
    fields.filter((field) => !Object.hasOwn(FindingSchema.properties, field)),
    [],
  );
});

test('docs/findings.md has the severity and the reference of every script that is rated, and of no other', () => {
  const rows = rowsOf('script').map(([id, , severity, reference]) =>
    [id, severity, reference].flatMap(quoted).join(' '),
  );
  const real = [...RATED_SCRIPTS].map(([id, { severity, references }]) => [id, severity, ...references].join(' '));
  assert.deepEqual(rows, real.toSorted());
  for (const id of RATED_SCRIPTS.keys()) assert.ok(Object.hasOwn(NMAP_SCRIPTS, id), `${id} can never run`);
});

test('each tool reports the kinds that docs/findings.md says, and no other', async () => {
  const listed = new Map(rowsOf('tool').map(([tool = '', kinds]) => [tool, new Set(quoted(kinds))]));
  for (const tool of await registeredTools()) {
    const { name, examples } = tool.definition;
    const kinds = listed.get(name) ?? assert.fail(`${name} is not listed`);
    for (const { input, raw = false, resolves = {} } of examples) {
      const call = await prepare(tool, input, { raw, resolves });
      for (const { stdout, stderr, files } of await samplesOf(name)) {
        const { drafts } = concluded(tool, call, { stdout: [stdout], stderr: [stderr], end: { files } });
        for (const { kind, title } of drafts) assert.ok(kinds.has(kind), `${name}: ${kind} ${title}`);
      }
    }
  }
  const all = new Set([...listed.values()].flatMap((kinds) => [...kinds]));
  assert.deepEqual([...all].toSorted(), [...FINDING_KINDS].toSorted());
});

/** The table has its own order: every kind must be in it once. */
function byTable(a: string, b: string): number {
  const order = rowsOf('kind').map(([kind]) => quoted(kind)[0]);
  return order.indexOf(a) - order.indexOf(b);
}
