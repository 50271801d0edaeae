import type { RunResult } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run-record.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Execution } from '../execution/types.ts';
import { type FindingText, lineField } from '../findings/field-text.ts';
import { FINDING_LIMITS } from '../findings/observation.ts';
import type { Coverage, FindingDraft } from '../findings/types.ts';
import type { Plan } from '../plan/plan.ts';
import type { ParseOutcome, ToolEvent, ToolSpent } from '../tool/definition.ts';
import { concludeRun, type RunFrame } from './conclusion.ts';
import type { EngineParts } from './engine-parts.ts';
import { maskLines } from './masked-output.ts';
import { createOutputWriter, type KeptOutputs } from './output-writer.ts';
import { startParser } from './parser.ts';
import { maskOf } from './plan-mask.ts';
import { cutShort } from './record.ts';
import { secretTexts } from './secret-texts.ts';
import { showTail } from './tail.ts';
import type { TimeoutLedger } from './timeout-ledger.ts';

/** One run that has its place and its plan. */
export interface RunJob {
  readonly runId: string;
  readonly plan: Plan;
  readonly queuedMs: number;
  readonly signal: AbortSignal;
  readonly timeouts: TimeoutLedger;
  /** Cleaned, and masked by what is secret for everybody and by what the call brought. */
  readonly onEvent: (event: ToolEvent) => void;
}

/** What became of a process: its answer or its error, and everything that belongs into its record. */
export interface Executed {
  readonly result: RunResult | undefined;
  /** Absent for success. */
  readonly error: SallyportError | undefined;
  /** Absent when the result could not be read: what was stated live is then all that is known. */
  readonly findings: readonly FindingDraft[] | undefined;
  readonly coverage: Coverage;
  readonly kept: KeptOutputs;
  readonly patch: Partial<Run>;
  /** A process was started, whatever became of it. */
  readonly hasRun: boolean;
  /** What the result says that it took. */
  readonly spent?: ToolSpent;
}

const NOTHING_COVERED: Coverage = { areas: [], missing: ['Nothing is known of what the run looked at.'] };

/** Runs the process of a plan, parses and keeps what it writes, and draws the conclusion. Never rejects. */
export async function executePlan(parts: EngineParts, job: RunJob): Promise<Executed> {
  const { runId, plan } = job;
  const { definition } = plan.tool;
  const given = secretTexts(definition, plan.input);
  const mask = maskOf(parts.text, plan);
  const parser = startParser(plan, (event) => job.onEvent(maskMessage(parts.text.cleanEvent(event, mask), mask)));
  const written = createOutputWriter({
    runId,
    store: parts.store.output,
    onFailure: (err) => parts.log.error('store.failed', { runId, err }),
  });
  // Nobody remembers what a call brought, so that no reader could mask it later: it must not come into the store.
  const clean = (text: string) => parts.text.cleanField(text, text.length);
  const writer = given.length === 0 ? written : maskLines(written, { clean, mask });
  const tail = showTail({ ...parts, runId, mask });
  const startedAt = parts.clock.now();
  const execution = await run(parts, job, {
    onStdout: (chunk) => {
      // The parser first: a password that it finds is known before anybody is shown the line it stands in.
      parser.stdout(chunk);
      tail.take('stdout', chunk);
      return writer.take('stdout', chunk);
    },
    onStderr: (chunk) => {
      parser.stderr(chunk);
      tail.take('stderr', chunk);
      return writer.take('stderr', chunk);
    },
  });
  const kept = await writer.end();
  measure(parts, { plan, execution, runId });
  const timeoutTrips = execution.ending === 'timed_out' && job.timeouts.counts(plan);
  const frame: RunFrame = { runId, plan, startedAt, queuedMs: job.queuedMs, timeoutTrips, execution };
  const concluded = conclude(parts, frame, () => parser.end(execution));
  if (concluded.error === undefined) job.timeouts.clear(definition.name);
  const hasRun = execution.ending !== 'not_started';
  return { ...concluded, kept, hasRun, patch: patchOf(execution, kept) };
}

/** Not the draft: a password `high` would take the severity of a finding. It is masked field by field later. */
function maskMessage(event: ToolEvent, mask: <T>(value: T) => T): ToolEvent {
  return event.message === undefined ? event : { ...event, message: mask(event.message) };
}

type Outlets = Pick<Parameters<EngineParts['executor']['run']>[1], 'onStdout' | 'onStderr'>;

function run(parts: EngineParts, { runId, plan, signal }: RunJob, outlets: Outlets): Promise<Execution> {
  const { definition } = plan.tool;
  const stdin = definition.stdin?.(plan.input, plan.context);
  return parts.executor.run(
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
    { ...outlets, signal },
  );
}

type Concluded = Pick<Executed, 'result' | 'error' | 'findings' | 'coverage' | 'spent'>;

function conclude(parts: EngineParts, frame: RunFrame, parse: () => ParseOutcome<unknown> | undefined): Concluded {
  let parsed: ParseOutcome<unknown> | undefined;
  let result: RunResult | undefined;
  let error: SallyportError | undefined;
  try {
    parsed = parse();
    result = concludeRun(frame, { text: parts.text, parsed });
  } catch (thrown) {
    error = toSallyportError(thrown);
    result = error.details?.['run'] as RunResult | undefined;
  }
  const facts = factsOf(parts, frame, { parsed, isComplete: result?.complete === true });
  const isLost = parsed !== undefined && facts.findings === undefined;
  return { result: isLost ? result && cutShort(result, FINDINGS_LOST) : result, error, ...facts };
}

const FINDINGS_LOST = 'The findings could not be taken from the result; the result itself is whole.';

/** A tool whose findings cannot be stated loses them, never the run's record: the result is there, and the log says why. */
function factsOf(
  parts: EngineParts,
  { plan, runId }: RunFrame,
  { parsed, isComplete }: { parsed: ParseOutcome<unknown> | undefined; isComplete: boolean },
): Pick<Executed, 'findings' | 'coverage' | 'spent'> {
  if (parsed === undefined) return { findings: undefined, coverage: NOTHING_COVERED };
  const { definition } = plan.tool;
  const { input, pinned, context } = plan;
  const facts = { input, pinned, context, result: parsed.result, complete: isComplete };
  try {
    const coverage = cleanCoverage(parts.text, plan, definition.coverage(facts));
    const spent = definition.spent?.(facts);
    return { findings: definition.findings(facts), coverage, ...(spent === undefined ? {} : { spent }) };
  } catch (err) {
    parts.log.error('run.failed', { runId, tool: definition.name, code: 'ERR_INTERNAL', err });
    return { findings: undefined, coverage: NOTHING_COVERED };
  }
}

/**
 * Cleaned and masked as the targets of findings are, which are compared with its subjects. A method stays whole, because
 * it is only equal or not.
 */
function cleanCoverage(text: EngineParts['text'], plan: Plan, { areas, missing }: Coverage): Coverage {
  const mask = maskOf(text, plan);
  const clean: FindingText = { clean: (plain, maxLength) => text.cleanField(plain, maxLength), mask };
  const line = (plain: string, maxLength: number) => lineField(plain, maxLength, clean);
  return {
    areas: areas.map(({ subject, method, ...area }) => ({
      ...area,
      ...(subject === undefined ? {} : { subject: line(subject, FINDING_LIMITS.target) }),
      ...(method === undefined ? {} : { method: line(method, method.length) }),
    })),
    missing: missing.map((each) => line(each, FINDING_LIMITS.title)),
  };
}

function patchOf({ stdout, stderr, durationMs, exitCode, layers }: Execution, kept: KeptOutputs): Partial<Run> {
  return {
    durationMs: Math.round(durationMs),
    exitCode,
    layers: [...layers],
    // What could not be kept is missing from it, whatever the tool's own cap was.
    stdout: { ...stdout, ...kept.stdout, truncated: stdout.truncated || !kept.isWhole },
    stderr: { ...stderr, ...kept.stderr, truncated: stderr.truncated || !kept.isWhole },
  };
}

function measure(parts: EngineParts, { plan, execution, runId }: Pick<RunFrame, 'plan' | 'execution' | 'runId'>): void {
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
