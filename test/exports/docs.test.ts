import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXPORT_FORMATS, exportFileName, mediaTypeOf } from '../../src/exports/formats.ts';
import { REPORT_LIMITS } from '../../src/exports/report.ts';

const DOCS = readFileSync(join(import.meta.dirname, '../../docs/exports.md'), 'utf8');

test('docs/exports.md lists every format with its type and file, and no other', () => {
  const listed = DOCS.split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => [...line.matchAll(/`([^`]+)`/g)].slice(0, 3).map(([, text]) => text));
  const run = { tool: 'x', runId: 'y' };
  const real = EXPORT_FORMATS.map((format) => [
    format,
    mediaTypeOf(format).split(';')[0],
    exportFileName(format, run).replace('sallyport-x-y', ''),
  ]);
  assert.deepEqual(listed, real);
});

test('docs/exports.md states the limits of the reports', () => {
  const { tableRows, detailed, evidence } = REPORT_LIMITS;
  const text = DOCS.replace(/\s+/g, ' ');
  assert.ok(
    text.includes(`at most ${tableRows} findings in their table and tell at most ${detailed} of them per host`),
  );
  assert.ok(text.includes(`${evidence} characters of evidence`));
});
