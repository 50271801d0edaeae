import { SallyportError } from '../core/errors.ts';
import type { Connection } from './connection.ts';

/** One record on its way into the table. */
export interface AuditInsert {
  readonly seq: number;
  readonly hash: string;
  readonly prev: string;
  readonly type: string;
  readonly runId: string | null;
  /** The whole record. */
  readonly text: string;
}

interface LastRow {
  readonly seq: number;
  readonly hash: string;
}

/** There is no operation that changes or removes a record. */
function appendAudit(connection: Connection, inserts: readonly AuditInsert[]): void {
  const sql = "SELECT seq, json_extract(record, '$.hash') AS hash FROM audit ORDER BY seq DESC LIMIT 1";
  let last: LastRow = connection.get<LastRow>(sql) ?? { seq: 0, hash: '0'.repeat(64) };
  for (const { seq, hash, prev, type, runId, text } of inserts) {
    if (seq !== last.seq + 1 || prev !== last.hash) {
      throw new SallyportError(
        'ERR_AUDIT_UNAVAILABLE',
        `Record ${seq} does not follow record ${last.seq} of the audit.`,
      );
    }
    connection.run('INSERT INTO audit (seq, record, type, run_id) VALUES (?, ?, ?, ?)', seq, text, type, runId);
    last = { seq, hash };
  }
}

/** The newer one at the same record says the same, later. */
function addAuditCheckpoint(connection: Connection, { seq, text }: { seq: number; text: string }): void {
  const sql = 'INSERT INTO audit_checkpoints VALUES (?, ?) ON CONFLICT DO UPDATE SET checkpoint = excluded.checkpoint';
  connection.run(sql, seq, text);
}

/** Additions to the audit. */
export const AUDIT_WRITES = { appendAudit, addAuditCheckpoint };
