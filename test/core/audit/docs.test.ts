import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AUDIT_TYPES, AuditRecordSchema } from '../../../schemas/audit.ts';
import { EMPTY_CHAIN, sealRecord } from '../../../src/core/audit/chain.ts';
import { OCSF_VERSION, ocsfText } from '../../../src/core/audit/ocsf.ts';
import { FAULT_KINDS } from '../../../src/core/audit/verify-types.ts';

const TEXT = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'audit.md'), 'utf8');

/** Cells of the rows of the table under a heading. */
function rowsOf(heading: string): string[][] {
  const chapter = TEXT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lines = chapter.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('docs/audit.md lists every type of record with what it is in OCSF, and no other', () => {
  const real = AUDIT_TYPES.map((type) => {
    const event = JSON.parse(ocsfText(sealRecord({ type }, EMPTY_CHAIN, 0), '0')) as Record<string, string>;
    return [type, event['activity_name'], event['severity'], event['status']];
  });
  assert.deepEqual(rowsOf('Types'), real);
  assert.ok(TEXT.includes(`${OCSF_VERSION}, class 6003`));
});

test('docs/audit.md lists every field of a record and every kind of fault, and no other', () => {
  const fields = rowsOf('A record').map(([name]) => name);
  assert.deepEqual(fields, Object.keys(AuditRecordSchema.properties));
  assert.deepEqual(
    rowsOf('What a verification finds').map(([kind]) => kind),
    [...FAULT_KINDS],
  );
});
