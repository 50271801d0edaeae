import { isSamePerson } from '../core/approval/person.ts';
import type { DecisionResult, StoredApproval, WeighedDecision } from '../core/approval/types.ts';
import { SallyportError } from '../core/errors.ts';
import { getApproval } from './approval-reads.ts';
import type { Connection } from './connection.ts';
import { STATE } from './numbers.ts';

interface Decided {
  readonly runId: string;
  readonly digest: string;
  readonly decision: WeighedDecision;
}

/** Looks and writes in one transaction: of two that come at once, one finds what the other did. */
function decideApproval(connection: Connection, { runId, digest, decision }: Decided): DecisionResult {
  const request = getApproval(connection, { runId });
  const run = connection.get<{ num: number; state: number }>('SELECT num, state FROM runs WHERE id = ?', runId);
  if (request === undefined || run === undefined) return { kind: 'unknown' };
  const at = timeOf(decision.at);
  if (request.outcome !== null || run.state !== STATE.awaiting_approval || at >= request.expiresAt) {
    return { kind: 'over' };
  }
  if (request.digest !== digest) return { kind: 'digest' };
  const person = { id: decision.by, name: decision.name };
  if (request.decisions.some(({ by, name }) => isSamePerson({ id: by, name }, person))) return { kind: 'repeated' };
  connection.run(
    'INSERT INTO approval_decisions (run, by, name, decision, reason, at, via) VALUES (?, ?, ?, ?, ?, ?, ?)',
    run.num,
    decision.by,
    decision.name,
    decision.decision,
    decision.reason,
    at,
    decision.via,
  );
  const approvals = countOf(connection, run.num, decision.lapsed ?? []);
  const outcome = outcomeOf(request, decision, approvals);
  if (outcome !== null) connection.run('UPDATE approvals SET outcome = ? WHERE run = ?', outcome, run.num);
  connection.run(
    `UPDATE runs SET record = json_set(record, '$.approval.approvals', ?)
      WHERE num = ? AND json_type(record, '$.approval') = 'object'`,
    approvals,
    run.num,
  );
  return { kind: 'taken', approval: getApproval(connection, { runId }) ?? { ...request, outcome } };
}

function countOf(connection: Connection, num: number, lapsed: readonly string[]): number {
  const sql = "SELECT by FROM approval_decisions WHERE run = ? AND decision = 'approved'";
  return connection.all<{ by: string }>(sql, num).filter(({ by }) => !lapsed.includes(by)).length;
}

function outcomeOf({ quorum }: StoredApproval, { decision }: WeighedDecision, approvals: number) {
  if (decision === 'denied') return 'denied';
  return approvals >= quorum ? 'approved' : null;
}

function closeApproval(
  connection: Connection,
  { runId, outcome }: { runId: string; outcome: 'expired' | 'withdrawn' },
): boolean {
  const sql = 'UPDATE approvals SET outcome = ? WHERE run = (SELECT num FROM runs WHERE id = ?) AND outcome IS NULL';
  return connection.run(sql, outcome, runId).changes > 0;
}

/** A time that is none would compare as never expired. */
function timeOf(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new SallyportError('ERR_INTERNAL', 'A decision carries a time that is none.');
  return time;
}

/** Changes of consent; a request is added with its run. */
export const APPROVAL_WRITES = { decideApproval, closeApproval };
