import type { AuditRow, AuditWindow } from '../core/audit/types.ts';
import type { Connection } from './connection.ts';

interface TextRow {
  readonly text: string;
}
interface CheckpointRow extends TextRow {
  readonly seq: number;
}

/** Texts come out as they are and are parsed on the other side. */
function auditPage(connection: Connection, window: AuditWindow): readonly string[] {
  const { after = 0, until, limit, type, runId, engagement, principal } = window;
  const conditions: [string, string | number | undefined][] = [
    ['seq <= ?', until],
    ['type = ?', type],
    ['run_id = ?', runId],
    ["json_extract(record, '$.engagement') = ?", engagement],
    ["json_extract(record, '$.principal') = ?", principal],
  ];
  const given = conditions.filter(([, value]) => value !== undefined);
  const where = ['seq > ?', ...given.map(([condition]) => condition)].join(' AND ');
  const values = given.map(([, value]) => value as string | number);
  return connection
    .all<TextRow>(`SELECT record AS text FROM audit WHERE ${where} ORDER BY seq LIMIT ?`, after, ...values, limit)
    .map(({ text }) => text);
}

function auditRows(connection: Connection, { after, limit }: { after: number; limit: number }): readonly AuditRow[] {
  const sql = 'SELECT seq, record AS text, type, run_id AS runId FROM audit WHERE seq > ? ORDER BY seq LIMIT ?';
  return connection.all<AuditRow>(sql, after, limit);
}

function lastAudit(connection: Connection): string | undefined {
  return connection.get<TextRow>('SELECT record AS text FROM audit ORDER BY seq DESC LIMIT 1')?.text;
}

function auditCheckpoints(
  connection: Connection,
  { after, limit }: { after: number; limit: number },
): readonly CheckpointRow[] {
  const sql = 'SELECT seq, checkpoint AS text FROM audit_checkpoints WHERE seq > ? ORDER BY seq LIMIT ?';
  return connection.all<CheckpointRow>(sql, after, limit);
}

function lastAuditCheckpoint(connection: Connection): string | undefined {
  return connection.get<TextRow>('SELECT checkpoint AS text FROM audit_checkpoints ORDER BY seq DESC LIMIT 1')?.text;
}

/** Questions about the audit. */
export const AUDIT_READS = { auditPage, auditRows, lastAudit, auditCheckpoints, lastAuditCheckpoint };
