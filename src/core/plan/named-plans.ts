import type { RunOptions } from '../../../schemas/run.ts';
import type { Principal } from '../auth/types.ts';
import type { PlanDigests } from './digest.ts';

/** A stored plan as its run needs it. */
export interface NamedPlan {
  /** Checked when the plan was made. */
  readonly input: Record<string, unknown>;
  readonly options: RunOptions;
  readonly digests: PlanDigests;
}

/** Plans that can be run by their id. */
export interface NamedPlans {
  /**
   * The plan of this id, of this principal, for this tool. An input that is sent along has to be the plan's; absent or
   * empty is the same as none. Throws ERR_PLAN_UNKNOWN (also for somebody else's), ERR_PLAN_EXPIRED, ERR_PLAN_USED or
   * ERR_PLAN_MISMATCH.
   */
  take(who: Principal, planId: string, asked: { readonly tool: string; readonly input: unknown }): Promise<NamedPlan>;
}
