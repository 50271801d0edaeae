import type { RunOptions } from '../../../schemas/run.ts';
import type { Risk } from '../../../schemas/risk.ts';
import type { ApprovalNeed, Approvals } from '../approval/types.ts';
import type { Asker, Engagement, Engagements } from '../engagement/types.ts';
import { SallyportError } from '../errors.ts';
import { reachOf } from '../execution/reach.ts';
import type { Reach } from '../execution/types.ts';
import type { KillSwitch } from '../kill/types.ts';
import type { PinnedTargets } from '../targets/types.ts';
import { guardArgv } from '../tool/argv-guard.ts';
import type { PinnedWordlist, RiskRaise, ToolContext, ToolEstimate, WordlistClaim } from '../tool/definition.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import { type Digestible, digestsOf, type PlanDigests } from './digest.ts';
import { checkOffered, unavailable } from './offered.ts';
import { judgeRisk } from './risk.ts';
import { NO_TRACE, type RuleTrace } from './trace.ts';

/** What exactly would run: decided from the operator's rules and the checked input, before anything starts. */
export interface Plan {
  readonly tool: RegisteredTool;
  readonly input: Record<string, unknown>;
  readonly engagement: Engagement;
  readonly pinned: PinnedTargets;
  readonly context: ToolContext;
  readonly binary: string;
  readonly argv: readonly string[];
  readonly risk: Risk;
  readonly raises: readonly RiskRaise[];
  /** The consent that it needs; undefined when none. */
  readonly approval: ApprovalNeed | undefined;
  readonly estimate: ToolEstimate;
  readonly timeoutMs: number;
  /** The caller asked for less time than the tool would have had. */
  readonly shortened: boolean;
  readonly generation: number;
  readonly degraded: readonly string[];
  readonly needsRaw: boolean;
  /** Whom the process may reach. */
  readonly reach: Reach;
  readonly digests: PlanDigests;
}

/** What a plan is made with. Everything here comes from the operator, nothing from the caller. */
export interface PlanSources {
  /** Changes whenever anything below may have changed; a plan of another generation is made again. */
  readonly generation: () => number;
  readonly engagements: Pick<Engagements, 'choose' | 'requireOpen' | 'allowsTool'>;
  readonly killSwitch: Pick<KillSwitch, 'check'>;
  readonly need: Approvals['need'];
  readonly digestKey: Buffer;
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
  readonly principal: Asker;
  readonly keepSecret: ToolContext['keepSecret'];
  /** Resolve names anew instead of from the cache: set when a queued call starts. */
  readonly fresh?: boolean;
  readonly trace?: RuleTrace;
}

/**
 * Makes the plan of one call, in the order in which a reader would ask: offered, engagement, kill switch, window, tool,
 * risk, targets, word lists, time, argv. Budgets are asked when it starts. Throws ERR_TOOL_*, ERR_ENGAGEMENT_*,
 * ERR_KILL_SWITCH, ERR_RISK_TOO_HIGH, ERR_TARGET_*, ERR_INPUT_INVALID; ERR_INTERNAL when the argv guard objects.
 */
export async function makePlan(sources: PlanSources, request: PlanRequest): Promise<Plan> {
  const { tool, input, run, trace = NO_TRACE } = request;
  // Read before anything is awaited: what changes during a look-up must not go unnoticed.
  const generation = sources.generation();
  const { definition } = tool;
  checkOffered(tool, trace);
  const engagement = permit(sources, request, trace);
  const { risk, raises } = judgeRisk(engagement, { tool, input }, trace);
  const timeoutMs = checkTimeout(sources.timeoutMs(tool), run, trace);
  const claims = definition.targets(input);
  const pinned = await engagement.policy.pin(claims, definition.limits, { fresh: request.fresh ?? false, trace });
  const known = await makeContext(sources, request, timeoutMs);
  const reach = definition.reach?.(input, pinned, known) ?? reachOf(claims, pinned);
  const context = { ...known, link: sources.link(reach) };
  const argv = definition.argv(input, pinned, context);
  guardArgv(definition.grammar, argv, pinned);
  trace.pass('argv.grammar', { datum: `${argv.length} arguments` });
  const plan: Digestible = {
    tool,
    input,
    engagement,
    pinned,
    context,
    binary: tool.availability.path ?? unavailable(tool),
    argv,
    risk,
    raises,
    approval: sources.need(engagement, risk),
    estimate: definition.estimate?.(input, pinned, context) ?? unknownTake(pinned, timeoutMs),
    timeoutMs,
    shortened: timeoutMs < sources.timeoutMs(tool),
    generation,
    degraded: definition.degrades?.(input, context) ?? [],
    needsRaw: context.raw && (definition.needsRaw?.(input, context) ?? false),
    reach,
  };
  return { ...plan, digests: digestsOf(plan, sources.digestKey) };
}

/** The engagement of a call, open now and with this tool in it. */
function permit(sources: PlanSources, { tool, run, principal }: PlanRequest, trace: RuleTrace): Engagement {
  const { engagements, killSwitch } = sources;
  const engagement = engagements.choose(principal, run.engagement, trace);
  killSwitch.check(engagement.id, trace);
  engagements.requireOpen(engagement, trace);
  const { name } = tool.definition;
  if (!engagements.allowsTool(engagement, name)) {
    throw new SallyportError('ERR_ENGAGEMENT_TOOL_DENIED', `Engagement ${engagement.id} does not permit ${name}.`, {
      details: { rule: 'engagement.tools', engagement: engagement.id, allowed: engagement.document.tools.allow },
    });
  }
  trace.pass('engagement.tools', { datum: name });
  return engagement;
}

/** Nobody knows what it sends: only where nothing limits it may it run. */
function unknownTake(pinned: PinnedTargets, timeoutMs: number): ToolEstimate {
  return { probes: Number(pinned.size.probes), packetsPerSecond: Number.POSITIVE_INFINITY, durationMs: timeoutMs };
}

function checkTimeout(limitMs: number, run: RunOptions, trace: RuleTrace): number {
  const timeoutMs = run.timeoutMs ?? limitMs;
  if (timeoutMs <= limitMs) {
    trace.pass('limits.timeout', { datum: `${timeoutMs} ms of ${limitMs} ms` });
    return timeoutMs;
  }
  throw new SallyportError('ERR_INPUT_INVALID', `run.timeoutMs is above this tool's limit of ${limitMs} ms.`, {
    details: { rule: 'limits.timeout', faults: [{ path: '/run/timeoutMs', message: `must be <= ${limitMs}` }] },
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
