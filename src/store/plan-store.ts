import type { RunOptions } from '../../schemas/run.ts';
import type { PlanView } from '../../schemas/plan.ts';
import type { PlanDigests } from '../core/plan/digest.ts';
import type { PlanStore, StoredPlan } from '../core/store/types.ts';
import type { PlanRow } from './plan-reads.ts';
import type { StoreParts } from './store-parts.ts';

/**
 * Plans. `sweep` removes the input of those that expired at once and the rest of them a day later; a used plan has none
 * either, because its run has it.
 */
export function createPlanStore({ writer, reader }: StoreParts): PlanStore {
  return {
    put: (plan) => writer.call('putPlan', plan),
    get: async (planId) => {
      const row = await reader.call('getPlan', { planId });
      return row === undefined ? undefined : toPlan(planId, row);
    },
    sweep: (before) => writer.call('sweepPlans', { before }),
  };
}

function toPlan(planId: string, row: PlanRow): StoredPlan {
  const job = JSON.parse(row.job) as Pick<StoredPlan, 'input' | 'options'> | null;
  const nothing: { input: Record<string, unknown>; options: RunOptions } = { input: {}, options: {} };
  return {
    planId,
    owner: row.owner,
    tool: row.tool,
    createdAt: row.created,
    // A clock that was set back must not revive a plan whose input is gone.
    expiresAt: job === null && row.used_by === null ? 0 : row.expires,
    digests: JSON.parse(row.digests) as PlanDigests,
    ...(job ?? nothing),
    view: JSON.parse(row.view) as PlanView,
    usedBy: row.used_by,
  };
}
