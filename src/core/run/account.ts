import { SEVERITIES } from '../../../schemas/finding.ts';
import type { Outcome, RunResult } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { SallyportError } from '../errors.ts';
import type { LogEvent } from '../log.ts';
import type { EngineParts } from './engine-parts.ts';
import { outcomeOf, ruleOf } from './outcome.ts';
import { NO_FINDINGS } from './record.ts';
import type { CallRequest } from './types.ts';

type AccountParts = Pick<EngineParts, 'recorder' | 'stats' | 'log'>;

/** Counts and logs a run whose process ended. */
export function account(
  parts: AccountParts,
  done: { tool: string; result: RunResult; code: string; findings: Run['findings'] },
): void {
  const { tool, result, code } = done;
  parts.stats.record(tool, result.outcome, result.durationMs);
  parts.recorder.count('sallyport_runs_total', { tool, outcome: result.outcome, code });
  parts.recorder.observe('sallyport_run_duration_seconds', { tool, outcome: result.outcome }, result.durationMs / 1000);
  for (const severity of SEVERITIES) {
    const count = done.findings.bySeverity[severity];
    if (count > 0) parts.recorder.count('sallyport_findings_total', { tool, severity }, count);
  }
  const { runId, outcome, durationMs, queuedMs, exitCode, complete, argv } = result;
  parts.log.info('run.finished', { runId, tool, outcome, code, durationMs, queuedMs, exitCode, complete, argv });
}

/** How a call without a result is logged; everything else was refused. */
const EVENTS: Partial<Record<Outcome, LogEvent>> = { cancelled: 'run.cancelled', failed: 'run.failed' };

/** Counts and logs a call that ended with an error, with or without a process. */
export function accountFailure(
  parts: AccountParts,
  failed: {
    tool: string;
    error: SallyportError;
    request: Pick<CallRequest, 'requestId'> & { readonly principal: { readonly id: string } };
    runId: string;
    findings?: Run['findings'];
  },
): void {
  const { tool, error, request, runId } = failed;
  const ended = error.details?.['run'] as RunResult | undefined;
  if (ended !== undefined) {
    account(parts, { tool, result: ended, code: error.code, findings: failed.findings ?? NO_FINDINGS });
    return;
  }
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
