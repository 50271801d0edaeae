import { randomUUID } from 'node:crypto';
import type { Outcome, RunOptions, RunResult } from '../../../schemas/run.ts';
import type { Principal } from '../auth/types.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { ExecutionLimits, Executor } from '../execution/types.ts';
import type { Log, LogEvent } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { makePlan, type Plan, type PlanSources } from '../plan/plan.ts';
import type { Stats } from '../stats/stats.ts';
import type { ToolContext, ToolEvent } from '../tool/definition.ts';
import type { RegisteredTool, Registry } from '../tool/registry-types.ts';
import { concludeRun, type RunFrame, type RunText } from './conclusion.ts';
import { outcomeOf, ruleOf } from './outcome.ts';
import { startParser } from './parser.ts';
import { createTimeoutLedger, type TimeoutLedger } from './timeout-ledger.ts';
import type { CallRequest, RunEngine } from './types.ts';

/** The room in which a call waits for its turn; see src/core/resilience. */
export interface Gate {
  enter<T>(
    tool: string,
    options: { readonly signal: AbortSignal },
    work: (admission: { readonly queuedMs: number }) => Promise<T>,
  ): Promise<T>;
}

/** Everything the engine stands on; it has no globals of its own. */
export interface EngineParts {
  readonly registry: Registry;
  readonly plans: PlanSources;
  readonly gate: Gate;
  readonly executor: Executor;
  readonly limits: (tool: RegisteredTool) => ExecutionLimits;
  readonly keepSecret: (secret: { owner: string; runId: string; tool: string; kind: string; value: string }) => string;
  readonly text: RunText;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly stats: Stats;
  readonly log: Log;
}

/** Makes the one engine that every channel calls. */
export function createRunEngine(parts: EngineParts): RunEngine {
  const engine: Engine = { ...parts, timeouts: createTimeoutLedger() };
  return { call: (request) => call(engine, request) };
}

type Engine = EngineParts & { readonly timeouts: TimeoutLedger };

async function call(parts: Engine, request: CallRequest): Promise<RunResult> {
  const tool = parts.registry.get(request.tool);
  const runId = randomUUID();
  try {
    const result = await admitAndRun(parts, { request, tool, runId });
    account(parts, { tool, result, code: 'OK' });
    return result;
  } catch (thrown) {
    const error = toSallyportError(thrown);
    accountFailure(parts, { tool, error, request, runId });
    throw error;
  }
}

interface Call {
  readonly request: CallRequest;
  readonly tool: RegisteredTool;
  readonly runId: string;
}

/** The request's path: offered? input? plan? room? (plan again when it waited) run. */
async function admitAndRun(parts: Engine, call: Call): Promise<RunResult> {
  const { request, tool, runId } = call;
  checkOffered(tool);
  const { input, run } = tool.validate(request.input, request.run);
  const keepSecret = ownedSecrets(parts, { tool, runId, owner: request.principal });
  const plan = await makePlan(parts.plans, { tool, input, run, keepSecret });
  const queuedAt = parts.clock.monotonic();
  const again = { name: tool.definition.name, input, run, keepSecret };
  return parts.gate.enter(tool.definition.name, { signal: request.signal }, async ({ queuedMs }) => {
    const current = await currentPlan(parts, { plan: queuedMs > 0 ? undefined : plan, again });
    const waited = Math.max(queuedMs, Math.round(parts.clock.monotonic() - queuedAt));
    return execute(parts, { runId, plan: current, queuedMs: queuedMs > 0 ? waited : 0, request });
  });
}

interface Again {
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
async function currentPlan(parts: EngineParts, from: { plan: Plan | undefined; again: Again }): Promise<Plan> {
  let { plan } = from;
  for (let round = 0; round < MAX_PLANS; round += 1) {
    if (plan !== undefined && plan.generation === parts.plans.generation()) {
      checkOffered(parts.registry.get(from.again.name));
      return plan;
    }
    plan = await planAgain(parts, from.again);
  }
  throw new SallyportError('ERR_TOOL_BUSY', 'The configuration keeps changing; try again.', { retryAfterMs: 1000 });
}

async function planAgain(parts: EngineParts, { name, input, run, keepSecret }: Again): Promise<Plan> {
  const tool = parts.registry.get(name);
  checkOffered(tool);
  return makePlan(parts.plans, { tool, input, run, keepSecret, fresh: true });
}

function checkOffered(tool: RegisteredTool): void {
  const { name } = tool.definition;
  if (!tool.enabled) throw new SallyportError('ERR_TOOL_DISABLED', `${name} is disabled by the operator.`);
  if (!tool.availability.available) {
    throw new SallyportError('ERR_TOOL_UNAVAILABLE', tool.availability.fault ?? `${name} is not available here.`);
  }
}

function ownedSecrets(parts: EngineParts, of: { tool: RegisteredTool; runId: string; owner: Principal }) {
  return (secret: { kind: string; value: string }) =>
    parts.keepSecret({ owner: of.owner.id, runId: of.runId, tool: of.tool.definition.name, ...secret });
}

async function execute(
  parts: Engine,
  job: { runId: string; plan: Plan; queuedMs: number; request: CallRequest },
): Promise<RunResult> {
  const { runId, plan, request } = job;
  const { definition } = plan.tool;
  const emit = (event: ToolEvent) => request.onEvent?.(parts.text.cleanEvent(event));
  const parser = startParser(plan, emit);
  const startedAt = parts.clock.now();
  const stdin = definition.stdin?.(plan.input, plan.context);
  parts.log.info('run.started', {
    runId,
    tool: definition.name,
    requestId: request.requestId,
    principal: request.principal.id,
  });
  const execution = await parts.executor.run(
    {
      runId,
      binary: plan.binary,
      argv: plan.argv,
      ...(stdin === undefined ? {} : { stdin }),
      files: definition.files?.(plan.input, plan.context) ?? [],
      readBack: definition.readBack ?? [],
      timeoutMs: plan.timeoutMs,
      limits: parts.limits(plan.tool),
      capability: plan.needsRaw ? 'raw' : 'none',
      needs: definition.needs ?? {},
      reach: plan.reach,
    },
    { onStdout: (chunk) => parser.stdout(chunk), onStderr: (chunk) => parser.stderr(chunk), signal: request.signal },
  );
  const timeoutTrips = execution.ending === 'timed_out' && parts.timeouts.counts(plan);
  const frame: RunFrame = { runId, plan, startedAt, queuedMs: job.queuedMs, timeoutTrips, execution };
  measure(parts, frame);
  const result = concludeRun(frame, { text: parts.text, parsed: parser.end(execution) });
  parts.timeouts.clear(definition.name);
  return result;
}

function measure(parts: EngineParts, { plan, execution, runId }: RunFrame): void {
  const tool = plan.tool.definition.name;
  for (const stream of ['stdout', 'stderr'] as const) {
    parts.recorder.count('sallyport_output_bytes_total', { tool, stream }, execution[stream].bytes);
    if (execution[stream].truncated) parts.recorder.count('sallyport_output_truncated_total', { tool, stream });
  }
  if (execution.killMs !== undefined) parts.recorder.count('sallyport_kills_total', { tool, cause: execution.ending });
  if (execution.survivors > 0) {
    parts.recorder.count('sallyport_kill_survivors_total', { tool }, execution.survivors);
    parts.log.error('run.survived', { runId, tool, survivors: execution.survivors });
  }
}

function account(parts: EngineParts, done: { tool: RegisteredTool; result: RunResult; code: string }): void {
  const { result, code } = done;
  const tool = done.tool.definition.name;
  parts.stats.record(tool, result.outcome, result.durationMs);
  parts.recorder.count('sallyport_runs_total', { tool, outcome: result.outcome, code });
  parts.recorder.observe('sallyport_run_duration_seconds', { tool, outcome: result.outcome }, result.durationMs / 1000);
  const { runId, outcome, durationMs, queuedMs, exitCode, complete, argv } = result;
  parts.log.info('run.finished', { runId, tool, outcome, code, durationMs, queuedMs, exitCode, complete, argv });
}

/** How a call without a result is logged; everything else was refused. */
const EVENTS: Partial<Record<Outcome, LogEvent>> = { cancelled: 'run.cancelled', failed: 'run.failed' };

function accountFailure(
  parts: EngineParts,
  failed: { tool: RegisteredTool; error: SallyportError; request: CallRequest; runId: string },
): void {
  const { error, request, runId } = failed;
  const ended = error.details?.['run'] as RunResult | undefined;
  if (ended !== undefined) {
    account(parts, { tool: failed.tool, result: ended, code: error.code });
    return;
  }
  const tool = failed.tool.definition.name;
  const outcome = outcomeOf(error);
  parts.stats.record(tool, outcome);
  parts.recorder.count('sallyport_runs_total', { tool, outcome, code: error.code });
  if (outcome === 'refused')
    parts.recorder.count('sallyport_refusals_total', { tool, rule: ruleOf(error), code: error.code });
  parts.log.info(EVENTS[outcome] ?? 'run.refused', {
    runId,
    tool,
    code: error.code,
    rule: ruleOf(error),
    requestId: request.requestId,
    principal: request.principal.id,
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
}
