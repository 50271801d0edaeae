import type { StoredPlan } from '../core/store/types.ts';
import type { Connection } from './connection.ts';

/** Milliseconds for which the row of an expired plan stays without its input: its owner hears that it expired. */
const TOLD_MS = 24 * 3_600_000;
/** What is left of an input that was removed. */
const REMOVED = 'null';

function putPlan(connection: Connection, plan: StoredPlan): void {
  const { planId, owner, tool, createdAt, expiresAt, digests, input, options, view, usedBy } = plan;
  connection.run(
    'INSERT INTO plans (id, owner, tool, created, expires, digests, job, view, used_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    planId,
    owner,
    tool,
    createdAt,
    expiresAt,
    JSON.stringify(digests),
    JSON.stringify({ input, options }),
    JSON.stringify(view),
    usedBy,
  );
}

/** The input of an expired plan is overwritten in the file (secure_delete): it may hold passwords. */
function sweepPlans(connection: Connection, { before }: { before: number }): number {
  connection.run('DELETE FROM plans WHERE expires < ?', before - TOLD_MS);
  return connection.run('UPDATE plans SET job = ? WHERE expires < ? AND job <> ?', REMOVED, before, REMOVED).changes;
}

/** Marks the plan used, in the transaction of its run. The run has the input now. False when it was used before, or is gone. */
export function usePlan(
  connection: Connection,
  { planId, owner, runId }: { planId: string; owner: string; runId: string },
): boolean {
  const sql = 'UPDATE plans SET used_by = ?, job = ? WHERE id = ? AND owner = ? AND used_by IS NULL AND job <> ?';
  return connection.run(sql, runId, REMOVED, planId, owner, REMOVED).changes > 0;
}

/** Changes of plans; using one up belongs to the creation of its run. */
export const PLAN_WRITES = { putPlan, sweepPlans };
