import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Finding } from '../../schemas/finding.ts';
import { CSV_COLUMNS, csvLine } from '../../src/exports/csv.ts';
import { fuzz } from '../fixtures/fuzz.ts';
import { anyFinding, HOSTILE_TEXTS, sampleFinding, sampleRun, sourceOf, textOf } from './sample.ts';

/** RFC 4180, strictly: throws on a quote in the wrong place and on a lone line break. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const field = /"((?:[^"]|"")*)"(,|\r\n)|([^",\r\n]*)(,|\r\n)/y;
  while (field.lastIndex < text.length) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) throw new Error(`no field at ${at}: ${JSON.stringify(text.slice(at, at + 40))}`);
    row.push(match[1]?.replaceAll('""', '"') ?? match[3] ?? '');
    if ((match[2] ?? match[4]) === ',') continue;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) throw new Error('the last line has no end');
  return rows;
}

/** Splits as a spreadsheet of another locale does when it opens the file: quotes only count at a field's beginning. */
function parseLoosely(text: string, separator: string): string[] {
  const cells: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    let at = 0;
    while (at <= line.length) {
      let cell = '';
      if (line[at] === '"') {
        const quoted = /^"((?:[^"]|"")*)"?/.exec(line.slice(at));
        cell = quoted?.[1]?.replaceAll('""', '"') ?? '';
        at += quoted?.[0].length ?? 1;
      }
      const end = line.indexOf(separator, at);
      cell += line.slice(at, end === -1 ? line.length : end);
      cells.push(cell);
      at = end === -1 ? line.length + 1 : end + 1;
    }
  }
  return cells;
}

const isFormula = (cell: string): boolean => /^["\s]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/.test(cell);

test('the readers of this test read what RFC 4180 says', () => {
  assert.deepEqual(parseCsv('a,"b ""c"", d"\r\n"e\nf",\r\n'), [
    ['a', 'b "c", d'],
    ['e\nf', ''],
  ]);
  assert.throws(() => parseCsv('a"b\r\n'));
  assert.deepEqual(parseLoosely('"x","foo;=cmd"', ';'), ['x,"foo', '=cmd"']);
  assert.ok(isFormula('=cmd"'));
});

test('no cell of any hostile finding is a formula, whatever separator the spreadsheet splits at', async (t) => {
  await fuzz(
    t,
    fc.asyncProperty(fc.array(anyFinding, { maxLength: 6 }), async (findings) => {
      const text = await textOf('csv', sourceOf(sampleRun(), findings));
      const rows = parseCsv(text);
      assert.equal(rows.length, findings.length + 3);
      for (const row of rows) assert.equal(row.length, CSV_COLUMNS.length);
      for (const separator of [',', ';', '\t', '|']) {
        for (const cell of parseLoosely(text, separator)) assert.ok(!isFormula(cell), JSON.stringify(cell));
      }
      assert.doesNotMatch(text.replaceAll('\r\n', ''), /[\p{Cc}\p{Cf}\p{Cs}]/u, 'a character that does not show');
    }),
  );
});

test('an ordinary text comes back as it was', async () => {
  const finding = sampleFinding({ title: 'http: "nginx", 1.22.1', evidence: 'Server: nginx (a=b)' });
  const rows = parseCsv(await textOf('csv', sourceOf(sampleRun(), [finding])));
  const row = rows.find(([record]) => record === 'finding') ?? [];
  const value = (column: (typeof CSV_COLUMNS)[number]) => row[CSV_COLUMNS.indexOf(column)];
  assert.equal(value('title'), finding.title);
  assert.equal(value('evidence'), finding.evidence);
  assert.equal(value('port'), '80');
  assert.equal(value('attributes'), 'state: open; service: http; product: nginx; version: 1.22.1');
});

test('every hostile text is one field of one line', () => {
  for (const text of HOSTILE_TEXTS) {
    const [row = [], ...more] = parseCsv(csvLine([text, 'next']));
    assert.equal(more.length, 0, text);
    assert.equal(row[1], 'next', text);
    assert.equal(csvLine([text]).split('\r\n').length, 2, text);
  }
});

test('the file says how many findings it has at its end', async () => {
  const findings: Finding[] = [sampleFinding(), sampleFinding({ port: 443 })];
  const rows = parseCsv(await textOf('csv', sourceOf(sampleRun(), findings)));
  assert.deepEqual(
    rows.map(([record]) => record),
    ['record', 'run', 'finding', 'finding', 'end'],
  );
  assert.equal(rows.at(-1)?.[CSV_COLUMNS.indexOf('title')], '2 findings');
});
