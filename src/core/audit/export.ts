import type { AuditRecord } from '../../../schemas/audit.ts';
import { AUDIT_FORMATS, type AuditFormat } from '../../../schemas/audit-query.ts';
import { textOf } from './chain.ts';
import { ocsfText } from './ocsf.ts';
import { MAX_PAGE } from './page.ts';
import type { Audit } from './types.ts';

export { AUDIT_FORMATS };

/** What is exported. */
export interface AuditExport {
  readonly format: AuditFormat;
  /** Only records from this moment on, milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Of this gateway, for events of a SIEM. */
  readonly version: string;
}

/** Where the records of an export come from. */
export type AuditSource = Pick<Audit, 'page' | 'lastSeq'>;

/** One JSON text in each line, oldest first, up to the record that was the last one at the beginning. */
export async function* exportText(audit: AuditSource, wanted: AuditExport): AsyncGenerator<string> {
  const line = wanted.format === 'jsonl' ? textOf : (record: AuditRecord) => ocsfText(record, wanted.version);
  const last = audit.lastSeq();
  let after = wanted.since === undefined ? 0 : await placeBefore(audit, wanted.since, last);
  while (after < last) {
    const { records } = await audit.page({ after, limit: Math.min(MAX_PAGE, last - after) });
    // A table that lacks records ends an export; `audit verify` says which.
    if (records.length === 0) return;
    yield records.map((record) => `${line(record)}\n`).join('');
    after = records.at(-1)?.seq ?? last;
  }
}

/** The number of the last record before a moment: times never go back, so that it can be looked for by halves. */
async function placeBefore(audit: AuditSource, since: number, last: number): Promise<number> {
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [first] = (await audit.page({ after: middle, limit: 1 })).records;
    if (first === undefined || Date.parse(first.at) >= since) high = middle;
    else low = first.seq;
  }
  return low;
}
