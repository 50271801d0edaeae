import type { ErrorBody } from '../../schemas/error.ts';
import { SEVERITIES, type Severity } from '../../schemas/finding.ts';
import type { RunResult } from '../../schemas/run.ts';
import { type Run, RUN_STATES, type RunProgress } from '../../schemas/run-record.ts';
import { isFinal } from '../core/run/states.ts';
import { alignColumns, fit, oneLine, printable } from './printable.ts';

/** A run's answer for a reader: how it ended first, then what it found. */
export function describeRun(run: RunResult): readonly string[] {
  const ended = run.outcome.replace('_', ' ');
  const lines = [`${run.tool} ${ended} in ${seconds(run.durationMs)} (run ${run.runId})`];
  for (const target of run.targets) lines.push(`  target: ${target.given} → ${target.addresses.join(', ')}`);
  for (const sentence of run.degraded) lines.push(`  degraded: ${sentence}`);
  if (!run.complete) lines.push(INCOMPLETE);
  if (run.stdout.truncated || run.stderr.truncated) lines.push('  truncated: the tool printed more than is kept');
  lines.push(run.result === null ? '  no result' : JSON.stringify(run.result, null, 2));
  return lines.map(printable);
}

const INCOMPLETE = '  incomplete: what is not listed was not necessarily looked at';

/** A refusal for a reader: code, sentence, what exactly was wrong, and the part of the result there is. */
export function describeError(body: unknown, status: number): readonly string[] {
  if (!isErrorBody(body)) return [printable(`The answer was HTTP ${status}: ${textOf(body).slice(0, 2000)}`)];
  const { run, ...details } = body.details ?? {};
  const lines = [`${body.code}: ${body.message}`];
  if (body.retryAfterMs !== undefined) lines.push(`  try again in ${Math.ceil(body.retryAfterMs / 1000)} s`);
  if (Object.keys(details).length > 0) lines.push(JSON.stringify(details, null, 2));
  lines.push(`  request ${body.requestId}`);
  return [...lines.map(printable), ...(isRunResult(run) ? describeRun(run) : [])];
}

/** The error body of a run that ended without success, as one call for its end would have been answered. */
export function errorOf(run: Run, result: RunResult | undefined): ErrorBody | undefined {
  if (run.error === null) return undefined;
  return {
    ...run.error,
    requestId: run.requestId,
    ...(result === undefined ? {} : { details: { run: result } }),
  };
}

/** The record of a run for a reader: its state first, then what it was, then what came of it. */
export function describeRecord(run: Run): readonly string[] {
  const lines = [headOf(run)];
  const add = (name: string, text: string | null): void => void (text && lines.push(`  ${name}: ${text}`));
  add('engagement', run.engagement);
  add('created', `${run.createdAt} by ${run.owner}, request ${run.requestId}`);
  add('started', run.startedAt && `${run.startedAt}, ${seconds(run.queuedMs)} after it was created`);
  add('ended', run.endedAt);
  add('tool', `${run.tool} ${run.toolVersion ?? ''}, risk ${run.risk}, at most ${seconds(run.timeoutMs)}`);
  for (const target of run.targets) add('target', `${target.given} → ${target.addresses.join(', ')}`);
  add('ran', run.argv.length === 0 ? null : JSON.stringify(run.argv));
  add('layers', run.layers.join(', '));
  for (const sentence of run.degraded) add('degraded', sentence);
  add('error', run.error && `${run.error.code}: ${run.error.message}`);
  add('exit code', run.exitCode === null ? null : String(run.exitCode));
  if (isOver(run) && !run.complete) lines.push(INCOMPLETE);
  if (!isOver(run) && run.progress) add('progress', describeProgress(run.progress));
  add('findings', countFindings(run));
  for (const name of ['stdout', 'stderr'] as const) add(name, describeStream(run[name]));
  return lines.map((line) => (line === INCOMPLETE ? line : oneLine(line)));
}

/** How a run ended, or how it is, in one line. */
export function headOf({ tool, state, durationMs, runId, startedAt }: Run): string {
  return oneLine(`${tool} ${state.replaceAll('_', ' ')}${startedAt ? ` ${seconds(durationMs)}` : ''} (run ${runId})`);
}

/** Whether nothing will change in the run any more. */
export function isOver({ state }: Pick<Run, 'state'>): boolean {
  return isFinal(state);
}

/** Below this a row would be cut before its target. */
const TABLE_COLUMNS = 120;

/** A table of runs with its head; on a narrow terminal two lines for each run. No line is wider than the terminal. */
export function tableOfRuns(runs: readonly Run[], columns: number): readonly string[] {
  const rows = runs.map((run) => rowOf(run).map(oneLine));
  const lines =
    columns < TABLE_COLUMNS
      ? rows.flatMap(([id, tool, state, created, took, findings, target]) => [
          `${id}  ${tool}  ${state}`,
          `    ${created}  took ${took}  findings ${findings}  ${target}`,
        ])
      : alignColumns([['RUN', 'TOOL', 'STATE', 'CREATED', 'TOOK', 'FINDINGS', 'TARGET'], ...rows]);
  return lines.map((line) => fit(line, columns));
}

function rowOf(run: Run): readonly string[] {
  return [
    run.runId,
    run.tool,
    `${run.state}${isOver(run) && !run.complete ? ' (incomplete)' : ''}`,
    run.createdAt.replace(/\.\d+Z$/, 'Z'),
    run.startedAt === null ? '-' : seconds(run.durationMs),
    countFindings(run),
    run.targets.map(({ given }) => given).join(', '),
  ];
}

/** How far a run is, in the words of a line of text. */
export function describeProgress(progress: Partial<RunProgress>): string {
  const { percent, done, total, ratePerSecond, etaSeconds, message } = progress;
  const parts = [
    percent === undefined ? '' : `${percent.toFixed(percent < 10 ? 1 : 0)}%`,
    done === undefined ? '' : total === undefined ? short(done) : `${short(done)}/${short(total)}`,
    ratePerSecond === undefined ? '' : `${short(ratePerSecond)}/s`,
    etaSeconds === undefined ? '' : `ETA ${clock(etaSeconds)}`,
    message === undefined ? '' : oneLine(message),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** Minutes and seconds, with hours where there are some. */
export function clock(time: number): string {
  const whole = Math.max(0, Math.round(time));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(rest).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

/** Whether a text can be the id of a run. */
export function isRunId(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(text);
}

/** Whether an answer is the record of a run, as far as it is shown here: the gateway may be of another version. */
export function isRun(body: unknown): body is Run {
  if (typeof body !== 'object' || body === null) return false;
  const run = body as Partial<Record<keyof Run, unknown>>;
  return (
    isRunId(run.runId) &&
    RUN_STATES.some((state) => state === run.state) &&
    [run.tool, run.createdAt, run.requestId].every((each) => typeof each === 'string') &&
    [run.targets, run.argv, run.layers, run.degraded].every((each) => Array.isArray(each)) &&
    [run.stdout, run.stderr, run.findings].every((each) => typeof each === 'object' && each !== null)
  );
}

function countFindings({ findings }: Run): string {
  const counts: Partial<Record<Severity, number>> = findings.bySeverity;
  const worst = SEVERITIES.toReversed().filter((severity) => severity !== 'info' && (counts[severity] ?? 0) > 0);
  const parts = worst.slice(0, 2).map((severity) => `${counts[severity]} ${severity}`);
  return `${findings.total}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}

function describeStream({ bytes, truncated, keptBytes, sha256 }: Run['stdout']): string | null {
  if (bytes === 0) return null;
  const kept = keptBytes === bytes ? '' : `, ${keptBytes} kept`;
  return `${bytes} bytes${kept}${truncated ? ', truncated' : ''}${sha256 === null ? '' : `, SHA-256 ${sha256}`}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function short(count: number): string {
  if (count >= 1_000_000) return `${(count / 1_000_000).toFixed(1)}M`;
  if (count >= 10_000) return `${(count / 1000).toFixed(1)}k`;
  return Number.isInteger(count) ? String(count) : count.toFixed(1);
}

/** An answer without a JSON body parses to nothing. */
function textOf(body: unknown): string {
  return JSON.stringify(body) ?? '';
}

function isErrorBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null && typeof (body as Partial<ErrorBody>).code === 'string';
}

function isRunResult(value: unknown): value is RunResult {
  return typeof value === 'object' && value !== null && typeof (value as Partial<RunResult>).runId === 'string';
}
