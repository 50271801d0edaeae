import type { Run } from '../../schemas/run-record.ts';
import { addFindings, answer, type AnswerFrame, type ToolAnswer } from './run-answer.ts';
import { isGoingOn } from './run-wait.ts';
import { tokensOf } from './shorten.ts';
import { goingOnText, stateText, UNTRUSTED } from './text.ts';
import { startOf, visibleValue } from './visible.ts';

const MAX_TARGETS = 5;

/** How a run stands, as text and structured content within the budget. */
export function statusAnswer(run: Run, frame: AnswerFrame): ToolAnswer {
  const { runId, tool, state, complete } = run;
  const body: Record<string, unknown> = { runId, tool, state, complete, untrusted: UNTRUSTED, next: frame.next ?? '' };
  const { error, progress, createdAt, startedAt, endedAt, durationMs, timeoutMs, degraded } = run;
  const limit = frame.tokens * 0.55;
  // In the order of their worth: what has no room is left out.
  addEach(body, { error, progress, durationMs }, limit);
  addFindings(body, { ...frame, findings: frame.findings ?? { ...run.findings, lines: [] } });
  addEach(body, { targets: targetsOf(run, 200), createdAt, startedAt, endedAt, timeoutMs, degraded }, limit);
  const text = { tokens: frame.tokens - tokensOf(body), findings: frame.findings?.lines, next: frame.next };
  return answer(isGoingOn(run) ? goingOnText(run, text) : stateText(run, text), body);
}

/** One run of a list for a model. */
export function runView(run: Run, chars: number): Record<string, unknown> {
  const { runId, tool, state, complete, createdAt, durationMs, findings } = run;
  return {
    runId,
    tool,
    state,
    complete,
    createdAt,
    durationMs,
    targets: targetsOf(run, chars),
    findings,
    ...(run.error === null ? {} : { error: run.error.code }),
  };
}

/** One run of a list as a line. */
export function runLine(run: Run): string {
  const { runId, tool, state, complete, createdAt, findings } = run;
  const whole = complete || isGoingOn(run) ? '' : ' INCOMPLETE';
  return `${runId} ${createdAt} ${tool} ${state}${whole} ${targetsOf(run, 40).join(' ')}, findings: ${findings.total}`;
}

function targetsOf({ targets }: Run, chars: number): string[] {
  const shown = targets.slice(0, MAX_TARGETS).map(({ canonical }) => startOf(canonical, chars));
  return targets.length > MAX_TARGETS ? [...shown, `…and ${targets.length - MAX_TARGETS} more`] : shown;
}

function addEach(body: Record<string, unknown>, fields: Record<string, unknown>, limit: number): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue;
    const shown = visibleValue(value);
    if (tokensOf({ ...body, [name]: shown }) <= limit) body[name] = shown;
  }
}
