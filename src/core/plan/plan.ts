import type { RunOptions } from '../../../schemas/run.ts';
import { highestRisk, isAbove, type Risk } from '../../../schemas/risk.ts';
import { SallyportError } from '../errors.ts';
import { reachOf } from '../execution/reach.ts';
import type { Reach } from '../execution/types.ts';
import type { PinnedTargets, TargetPolicy } from '../targets/types.ts';
import { guardArgv } from '../tool/argv-guard.ts';
import type { PinnedWordlist, ToolContext, WordlistClaim } from '../tool/definition.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';

/** What exactly would run: decided from the operator's rules and the checked input, before anything starts. */
export interface Plan {
  readonly tool: RegisteredTool;
  readonly input: Record<string, unknown>;
  readonly pinned: PinnedTargets;
  readonly context: ToolContext;
  readonly binary: string;
  readonly argv: readonly string[];
  readonly risk: Risk;
  readonly timeoutMs: number;
  /** The caller asked for less time than the tool would have had. */
  readonly shortened: boolean;
  readonly generation: number;
  readonly degraded: readonly string[];
  readonly needsRaw: boolean;
  /** Whom the process may reach. */
  readonly reach: Reach;
}

/** What a plan is made with. Everything here comes from the operator, nothing from the caller. */
export interface PlanSources {
  /** Changes whenever anything below may have changed; a plan of another generation is made again. */
  readonly generation: () => number;
  readonly policy: () => TargetPolicy;
  readonly riskCeiling: () => Risk;
  readonly timeoutMs: (tool: RegisteredTool) => number;
  readonly wordlist: (claim: WordlistClaim) => Promise<PinnedWordlist>;
  readonly raw: () => boolean;
  /** The link that packets of a run with this reach leave by. */
  readonly link: (reach: Reach) => ToolContext['link'];
}

export interface PlanRequest {
  readonly tool: RegisteredTool;
  readonly input: Record<string, unknown>;
  readonly run: RunOptions;
  readonly keepSecret: ToolContext['keepSecret'];
  /** Resolve names anew instead of from the cache: set when a queued call starts. */
  readonly fresh?: boolean;
}

/**
 * Makes the plan of one call, in the order in which a reader would ask: risk, targets, word lists, time, argv.
 * Throws ERR_RISK_TOO_HIGH, ERR_TARGET_*, ERR_INPUT_INVALID, ERR_TOOL_UNAVAILABLE; ERR_INTERNAL when the argv guard objects.
 */
export async function makePlan(sources: PlanSources, request: PlanRequest): Promise<Plan> {
  const { tool, input, run } = request;
  // Read before anything is awaited: what changes during a look-up must not go unnoticed.
  const generation = sources.generation();
  const { definition } = tool;
  const risk = checkRisk(sources.riskCeiling(), tool, input);
  const timeoutMs = checkTimeout(sources.timeoutMs(tool), run);
  const claims = definition.targets(input);
  const pinned = await sources.policy().pin(claims, definition.limits, { fresh: request.fresh ?? false });
  const known = await makeContext(sources, request, timeoutMs);
  const reach = definition.reach?.(input, pinned, known) ?? reachOf(claims, pinned);
  const context = { ...known, link: sources.link(reach) };
  const argv = definition.argv(input, pinned, context);
  guardArgv(definition.grammar, argv, pinned);
  return {
    tool,
    input,
    pinned,
    context,
    binary: tool.availability.path ?? unavailable(tool),
    argv,
    risk,
    timeoutMs,
    shortened: timeoutMs < sources.timeoutMs(tool),
    generation,
    degraded: definition.degrades?.(input, context) ?? [],
    needsRaw: context.raw && (definition.needsRaw?.(input, context) ?? false),
    reach,
  };
}

function checkRisk(ceiling: Risk, tool: RegisteredTool, input: Record<string, unknown>): Risk {
  const raises = tool.definition.raises?.(input) ?? [];
  if (isAbove(tool.definition.risk, ceiling)) {
    throw new SallyportError(
      'ERR_RISK_TOO_HIGH',
      `${tool.definition.name} is ${tool.definition.risk}; the operator's ceiling (policy.risk) is ${ceiling}.`,
      { details: { rule: 'risk.tool', risk: tool.definition.risk, ceiling } },
    );
  }
  const over = raises.find((raise) => isAbove(raise.risk, ceiling));
  if (over !== undefined) {
    throw new SallyportError(
      'ERR_RISK_TOO_HIGH',
      `Option "${over.option}" makes this call ${over.risk} (${over.why}); the operator's ceiling (policy.risk) is ${ceiling}. Leave the option out or lower it.`,
      { details: { rule: 'risk.option', risk: over.risk, ceiling, option: over.option } },
    );
  }
  return highestRisk([tool.definition.risk, ...raises.map((raise) => raise.risk)]);
}

function checkTimeout(limitMs: number, run: RunOptions): number {
  if (run.timeoutMs === undefined) return limitMs;
  if (run.timeoutMs <= limitMs) return run.timeoutMs;
  throw new SallyportError('ERR_INPUT_INVALID', `run.timeoutMs is above this tool's limit of ${limitMs} ms.`, {
    details: { faults: [{ path: '/run/timeoutMs', message: `must be <= ${limitMs}` }] },
  });
}

async function makeContext(sources: PlanSources, request: PlanRequest, timeoutMs: number): Promise<ToolContext> {
  const claims = request.tool.definition.wordlists?.(request.input) ?? [];
  const found = await Promise.all(claims.map((claim) => sources.wordlist(claim)));
  const wanted = request.tool.definition.raw ?? 'never';
  return {
    raw: wanted !== 'never' && sources.raw(),
    wordlists: new Map(found.map((list) => [list.role, list])),
    timeoutMs,
    link: {},
    keepSecret: request.keepSecret,
  };
}

function unavailable(tool: RegisteredTool): never {
  throw new SallyportError(
    'ERR_TOOL_UNAVAILABLE',
    tool.availability.fault ?? `${tool.definition.name} is not installed.`,
  );
}
