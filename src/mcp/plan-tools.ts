import type { PlanToolArguments, ScopeToolArguments } from '../../schemas/plan-tool.ts';
import type { ScopeView } from '../../schemas/scope-view.ts';
import type { Principal } from '../core/auth/types.ts';
import { SallyportError } from '../core/errors.ts';
import type { Planner } from '../core/plan/planner.ts';
import { tokensOfCall } from './budget.ts';
import { planAnswer, scopeAnswer } from './plan-tool-answer.ts';
import type { ToolAnswer } from './run-answer.ts';
import type { RunToolCall } from './run-tools.ts';

/** What a principal may ask of the policy without running anything. */
export interface PolicyDesk {
  readonly planner: Pick<Planner, 'plan'>;
  readonly scopeOf: (who: Principal) => ScopeView;
}

/** What each of these tools does with checked arguments. */
export interface PlanToolHandlers {
  plan(args: PlanToolArguments, call: RunToolCall): Promise<ToolAnswer>;
  scope(args: ScopeToolArguments, call: RunToolCall): Promise<ToolAnswer>;
}

/** The handlers over planner and engagements. A refused plan is an answer, not an error. */
export function createPlanToolHandlers({ planner, scopeOf }: PolicyDesk): PlanToolHandlers {
  return {
    plan: async ({ tool, input, run, maxTokens }, { principal, requestId }) => {
      const view = await planner.plan(principal, { tool, input, run, requestId }).catch(unknownTool);
      return planAnswer(view, principal, tokensOfCall(maxTokens));
    },
    scope: async ({ maxTokens }, { principal }) => scopeAnswer(scopeOf(principal), tokensOfCall(maxTokens)),
  };
}

/** The tool's name is an argument here: a wrong one is a result that says so, not a fault of the protocol. */
function unknownTool(cause: unknown): never {
  if (!(cause instanceof SallyportError) || cause.code !== 'ERR_TOOL_UNKNOWN') throw cause;
  throw new SallyportError('ERR_INPUT_INVALID', 'There is no such tool; tools/list names them.', {
    cause,
    details: { faults: [{ path: '/tool', message: 'is no tool' }] },
  });
}
