import type { ErrorBody } from '../../schemas/error.ts';
import type { RunResult } from '../../schemas/run.ts';

/** A run's answer for a reader: how it ended first, then what it found. */
export function describeRun(run: RunResult): readonly string[] {
  const ended = run.outcome.replace('_', ' ');
  const lines = [`${run.tool} ${ended} in ${(run.durationMs / 1000).toFixed(1)} s (run ${run.runId})`];
  for (const target of run.targets) lines.push(`  target: ${target.given} → ${target.addresses.join(', ')}`);
  for (const sentence of run.degraded) lines.push(`  degraded: ${sentence}`);
  if (!run.complete) lines.push('  incomplete: what is not listed was not necessarily looked at');
  if (run.stdout.truncated || run.stderr.truncated) lines.push('  truncated: the tool printed more than is kept');
  lines.push(run.result === null ? '  no result' : JSON.stringify(run.result, null, 2));
  return lines.map(printable);
}

/** A refusal for a reader: code, sentence, what exactly was wrong, and the part of the result there is. */
export function describeError(body: unknown, status: number): readonly string[] {
  if (!isErrorBody(body)) return [printable(`The answer was HTTP ${status}: ${JSON.stringify(body).slice(0, 2000)}`)];
  const { run, ...details } = body.details ?? {};
  const lines = [`${body.code}: ${body.message}`];
  if (body.retryAfterMs !== undefined) lines.push(`  try again in ${Math.ceil(body.retryAfterMs / 1000)} s`);
  if (Object.keys(details).length > 0) lines.push(JSON.stringify(details, null, 2));
  lines.push(`  request ${body.requestId}`);
  return [...lines.map(printable), ...(isRunResult(run) ? describeRun(run) : [])];
}

/** JSON that cannot steer the terminal it is printed on. */
export function printableJson(value: unknown): string {
  return printable(JSON.stringify(value, null, 2));
}

/** Banners are written by the target: control and format characters would let them repaint or reorder the screen. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\n' ? '\n' : escapeUnits(character),
  );
}

function escapeUnits(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

function isErrorBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null && typeof (body as Partial<ErrorBody>).code === 'string';
}

function isRunResult(value: unknown): value is RunResult {
  return typeof value === 'object' && value !== null && typeof (value as Partial<RunResult>).runId === 'string';
}
