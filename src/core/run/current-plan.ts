import type { RunOptions } from '../../../schemas/run.ts';
import type { Asker } from '../engagement/types.ts';
import { SallyportError } from '../errors.ts';
import { type PlanDigests, requireSame } from '../plan/digest.ts';
import { checkOffered } from '../plan/offered.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import type { ToolContext } from '../tool/definition.ts';
import type { EngineParts } from './engine-parts.ts';

/** What a plan is made from again: the checked input, never an earlier plan. */
export interface PlanSource {
  readonly name: string;
  readonly input: Record<string, unknown>;
  readonly run: RunOptions;
  readonly principal: Asker;
  /** Only exactly this plan may run: one that was named, or that people consented to. */
  readonly bound?: PlanDigests | undefined;
  readonly keepSecret: ToolContext['keepSecret'];
}

const MAX_PLANS = 5;

/**
 * A plan that is true at this moment. What was allowed before a wait may not be allowed now: a name can have been
 * pointed elsewhere (DNS rebinding), the tool disabled, the scope narrowed. A call that waited, or during whose planning
 * the operator changed something, is planned again from its input, uncached. Nothing is awaited after the last check.
 */
export async function currentPlan(
  parts: EngineParts,
  from: { readonly plan: Plan | undefined; readonly source: PlanSource },
): Promise<Plan> {
  let { plan } = from;
  for (let round = 0; round < MAX_PLANS; round += 1) {
    if (plan !== undefined && isCurrent(parts, plan)) return plan;
    plan = await planAgain(parts, from.source);
  }
  throw new SallyportError('ERR_TOOL_BUSY', 'The configuration keeps changing; try again.', { retryAfterMs: 1000 });
}

/**
 * Whether a plan still stands. Throws when its tool is no longer offered, its engagement no longer open (windows close
 * without a change), or the kill switch on.
 */
export function isCurrent(parts: EngineParts, plan: Plan): boolean {
  const { generation, killSwitch, engagements } = parts.plans;
  if (plan.generation !== generation()) return false;
  checkOffered(parts.registry.get(plan.tool.definition.name));
  killSwitch.check(plan.engagement.id);
  engagements.requireOpen(plan.engagement);
  return true;
}

async function planAgain(parts: EngineParts, source: PlanSource): Promise<Plan> {
  const { name, input, run, principal, keepSecret, bound } = source;
  const tool = parts.registry.get(name);
  const plan = await makePlan(parts.plans, { tool, input, run, principal, keepSecret, fresh: true });
  if (bound !== undefined) requireSame(plan.digests, bound);
  else if (plan.approval !== undefined) throw consentMissing(plan);
  return plan;
}

/** Attack: a run is queued before the operator asks for consent, and starts after it. Nobody can be asked now: ask anew. */
function consentMissing({ engagement }: Plan): SallyportError {
  const message = `Engagement ${engagement.id} asks for consent since this was queued. Start it again to ask for it.`;
  return new SallyportError('ERR_PLAN_ENGAGEMENT_CHANGED', message, {
    details: { rule: 'plan.same', changed: ['engagement'], engagement: engagement.id },
  });
}
