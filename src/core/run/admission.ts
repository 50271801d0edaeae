import type { RunOptions } from '../../../schemas/run.ts';
import type { ApprovalRequest } from '../approval/types.ts';
import { demandOf } from '../budget/demand.ts';
import { SallyportError } from '../errors.ts';
import { type PlanDigests, requireSame } from '../plan/digest.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import type { EngineParts } from './engine-parts.ts';
import type { LiveRuns } from './live-runs.ts';
import { keepOwned, type OwnedSecrets } from './owned-secrets.ts';
import type { CallRequest } from './types.ts';

/** One call on its way to becoming a run. */
export interface Call {
  readonly request: CallRequest;
  readonly tool: RegisteredTool;
  readonly runId: string;
}

/** A call that may become a run: planned, within its budgets, nothing taken yet. */
export interface Allowed {
  readonly input: Record<string, unknown>;
  readonly options: RunOptions;
  readonly plan: Plan;
  /** Only exactly this may run. */
  readonly bound: PlanDigests | undefined;
  readonly planId: string | undefined;
  readonly secrets: OwnedSecrets;
}

type Grounds = EngineParts & { readonly runs: LiveRuns; readonly stopping: AbortSignal };

/** Checks, plans and judges a call. Throws with the code of the first rule that refuses it. */
export async function allow(engine: Grounds, call: Call): Promise<Allowed> {
  const { request, tool, runId } = call;
  const { principal } = request;
  if (engine.stopping.aborted) throw new SallyportError('ERR_SHUTTING_DOWN', 'The gateway is stopping.');
  engine.audit.requireWritable();
  const asked = await askedOf(engine, call);
  const secrets = keepOwned(engine, { tool, runId, owner: principal.id });
  const { input, options: run } = asked;
  const plan = await makePlan(engine.plans, { tool, input, run, principal, keepSecret: secrets.keep });
  if (asked.bound !== undefined) requireSame(plan.digests, asked.bound);
  engine.budgets.check(demandOf(plan, runId));
  // Its name is bound from here on: another engagement of this principal must not take over while it waits.
  const options = { ...run, engagement: plan.engagement.id };
  // What people consent to is what runs, to the letter.
  const bound = asked.bound ?? (plan.approval === undefined ? undefined : plan.digests);
  return { ...asked, options, plan, bound, secrets };
}

type Asked = Pick<Allowed, 'input' | 'options' | 'planId'> & { readonly bound: PlanDigests | undefined };

/** The checked input of a call: its own, or that of the plan that it names. */
async function askedOf(engine: EngineParts, { request, tool }: Call): Promise<Asked> {
  const planId: unknown = request.run?.planId;
  if (typeof planId !== 'string') {
    const { input, run } = tool.validate(request.input, request.run);
    return { input, options: run, planId: undefined, bound: undefined };
  }
  const named = await engine.named.take(request.principal, planId, {
    tool: tool.definition.name,
    input: request.input,
  });
  // The input was checked when the plan was made; how to run it is checked now.
  const { input, run } = tool.validate(named.input, request.run);
  for (const option of ['engagement', 'timeoutMs'] as const) {
    if (run[option] === undefined || run[option] === named.options[option]) continue;
    throw new SallyportError('ERR_PLAN_MISMATCH', `run.${option} is not the plan's; leave it out or make a new plan.`, {
      details: { rule: 'plan.same', field: `run.${option}` },
    });
  }
  return { input, options: named.options, planId, bound: named.digests };
}

/** What is stored of the consent that a plan needs. */
export function approvalRequestOf(
  { plan }: Allowed,
  { request, runId }: Call,
  requestedAt: number,
): ApprovalRequest | undefined {
  const { approval, engagement, digests } = plan;
  if (approval === undefined) return undefined;
  const { id, name } = request.principal;
  return {
    runId,
    requester: { id, name },
    engagement: engagement.id,
    digest: digests.all,
    quorum: approval.quorum,
    approvers: approval.approvers ?? null,
    selfConfirm: approval.selfConfirm,
    requestedAt,
    expiresAt: requestedAt + approval.ttlMs,
  };
}
