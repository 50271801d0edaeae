import type { Run, RunState } from '../../../schemas/run-record.ts';
import { cleanText } from '../redaction/untrusted.ts';
import type { ComparedRun, RunPair } from './diff.ts';

/** How much of what a run left out is named. */
const MAX_MISSING = 5;
const MAX_TEXT = 200;
const GOING_ON: ReadonlySet<RunState> = new Set(['awaiting_approval', 'queued', 'running']);

/** What limits a comparison, one sentence each: whoever reads the counts must not take them for more than they are. */
export function notesOf({ from, to }: RunPair): string[] {
  if (from.run.runId === to.run.runId) return ['Both are the same run.', ...notesOfRun(to)];
  return [...notesOfPair(from.run, to.run), ...notesOfRun(from), ...notesOfRun(to)];
}

function notesOfPair(from: Run, to: Run): string[] {
  const notes: string[] = [];
  if (from.tool !== to.tool) {
    notes.push(
      `The runs are of two tools, ${from.tool} and ${to.tool}: each sees things that the other cannot see, and titles and attributes may differ for that reason alone.`,
    );
  } else if (from.toolVersion !== to.toolVersion) {
    notes.push(`The runs are of two versions of ${from.tool}: what they report may differ for that reason alone.`);
  }
  if (Date.parse(from.createdAt) > Date.parse(to.createdAt)) {
    notes.push(`Run ${from.runId} is the later one: "new" and "gone" are read backwards in time.`);
  }
  return notes;
}

function notesOfRun({ run, coverage }: ComparedRun): string[] {
  const notes: string[] = [];
  if (GOING_ON.has(run.state)) notes.push(`Run ${run.runId} is ${run.state}: the comparison is of what is known now.`);
  else if (!run.complete) {
    notes.push(`Run ${run.runId} ended as ${run.state} and did not finish looking: "not listed" is not "not there".`);
  }
  if (run.degraded.length > 0) notes.push(`Run ${run.runId} was degraded: ${listOf(run.degraded)}`);
  if (coverage === undefined) {
    notes.push(`What run ${run.runId} looked at is not known: nothing that it did not see counts as gone.`);
  } else if (coverage.missing.length > 0) {
    notes.push(`Run ${run.runId} left out: ${listOf(coverage.missing)}`);
  }
  return notes;
}

function listOf(texts: readonly string[]): string {
  const shown = texts.slice(0, MAX_MISSING).map((text) => cleanText(text, MAX_TEXT));
  const more = texts.length > MAX_MISSING ? ` (and ${texts.length - MAX_MISSING} more)` : '';
  return `${shown.join('; ')}${more}`;
}
