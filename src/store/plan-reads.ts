import type { Connection } from './connection.ts';

/** A plan as it lies in the file. */
export interface PlanRow {
  readonly owner: string;
  readonly tool: string;
  readonly created: number;
  readonly expires: number;
  readonly digests: string;
  readonly job: string;
  readonly view: string;
  readonly used_by: string | null;
}

function getPlan(connection: Connection, { planId }: { planId: string }): PlanRow | undefined {
  const sql = 'SELECT owner, tool, created, expires, digests, job, view, used_by FROM plans WHERE id = ?';
  return connection.get<PlanRow>(sql, planId);
}

/** Questions about plans. */
export const PLAN_READS = { getPlan };
