import type { RunOptions } from '../../../schemas/run.ts';
import { SallyportError } from '../errors.ts';
import { makePlan, type Plan } from '../plan/plan.ts';
import type { ToolContext } from '../tool/definition.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import type { EngineParts } from './engine-parts.ts';

/** What a plan is made from again: the checked input, never an earlier plan. */
export interface PlanSource {
  readonly name: string;
  readonly input: Record<string, unknown>;
  readonly run: RunOptions;
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

/** Whether a plan still stands. Throws when its tool is no longer offered. */
export function isCurrent(parts: EngineParts, plan: Plan): boolean {
  if (plan.generation !== parts.plans.generation()) return false;
  checkOffered(parts.registry.get(plan.tool.definition.name));
  return true;
}

async function planAgain(parts: EngineParts, { name, input, run, keepSecret }: PlanSource): Promise<Plan> {
  const tool = parts.registry.get(name);
  checkOffered(tool);
  return makePlan(parts.plans, { tool, input, run, keepSecret, fresh: true });
}

/** Throws ERR_TOOL_DISABLED or ERR_TOOL_UNAVAILABLE. */
export function checkOffered(tool: RegisteredTool): void {
  const { name } = tool.definition;
  if (!tool.enabled) throw new SallyportError('ERR_TOOL_DISABLED', `${name} is disabled by the operator.`);
  if (!tool.availability.available) {
    throw new SallyportError('ERR_TOOL_UNAVAILABLE', tool.availability.fault ?? `${name} is not available here.`);
  }
}
