import type { ApprovalDecision } from '../../schemas/approval.ts';
import type { ApprovalRequest, StoredApproval } from '../core/approval/types.ts';
import type { Connection } from './connection.ts';
import { STATE } from './numbers.ts';

interface ApprovalRow {
  readonly run: number;
  readonly request: string;
  readonly expires: number;
  readonly outcome: StoredApproval['outcome'];
}
interface DecisionRow {
  readonly by: string;
  readonly name: string;
  readonly decision: ApprovalDecision['decision'];
  readonly reason: string;
  readonly at: number;
  readonly via: ApprovalDecision['via'];
}

/** The request of a run with its decisions, oldest first. */
export function getApproval(connection: Connection, { runId }: { runId: string }): StoredApproval | undefined {
  const sql = `SELECT run, request, expires, outcome FROM approvals
    WHERE run = (SELECT num FROM runs WHERE id = ?)`;
  const row = connection.get<ApprovalRow>(sql, runId);
  return row === undefined ? undefined : toApproval(connection, row);
}

function pendingApprovals(connection: Connection): readonly StoredApproval[] {
  // CROSS JOIN keeps the order of the tables: the open requests are few, the runs are not.
  const sql = `SELECT run, request, expires, outcome FROM approvals INDEXED BY approvals_open
    CROSS JOIN runs ON runs.num = approvals.run WHERE outcome IS NULL AND runs.state = ? ORDER BY run`;
  return connection.all<ApprovalRow>(sql, STATE.awaiting_approval).map((row) => toApproval(connection, row));
}

function toApproval(connection: Connection, { run, request, expires, outcome }: ApprovalRow): StoredApproval {
  const sql = 'SELECT by, name, decision, reason, at, via FROM approval_decisions WHERE run = ? ORDER BY at, by';
  const decisions = connection.all<DecisionRow>(sql, run);
  return {
    ...(JSON.parse(request) as ApprovalRequest),
    expiresAt: expires,
    decisions: decisions.map((row) => ({ ...row, at: new Date(row.at).toISOString() })),
    outcome,
  };
}

/** Questions about consent. */
export const APPROVAL_READS = { getApproval, pendingApprovals };
