import type { RunPage } from '../../schemas/run-record.ts';
import type {
  RunCancelArguments,
  RunDiffArguments,
  RunFindingsArguments,
  RunListArguments,
  RunResultArguments,
  RunStatusArguments,
} from '../../schemas/run-tool.ts';
import type { Principal } from '../core/auth/types.ts';
import { findingLine } from '../core/findings/summary.ts';
import type { RunHistory } from '../core/run/types.ts';
import type { ToolEvent } from '../core/tool/definition.ts';
import { tokensOfCall } from './budget.ts';
import { diffEntryLine, diffEntryView, findingView } from './finding-view.ts';
import { briefOf, nextOf } from './follow-up.ts';
import { answer, fitsWhole, resultAnswer, type ToolAnswer } from './run-answer.ts';
import { fittingPage } from './run-page.ts';
import { partOf } from './run-part.ts';
import { statusAnswer, runLine, runView } from './run-view.ts';
import { awaitRun } from './run-wait.ts';
import { tokensOf } from './shorten.ts';
import { UNTRUSTED } from './text.ts';
import { estimateTokens } from './tokens.ts';
import { visible, visibleValue, withinTokens } from './visible.ts';

/** Who calls a run tool, and the way back while it waits. */
export interface RunToolCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly onEvent: (event: ToolEvent) => void;
}

/** What each run tool does with checked arguments; the history decides whose run an id names. */
export interface RunToolHandlers {
  run_status(args: RunStatusArguments, call: RunToolCall): Promise<ToolAnswer>;
  run_result(args: RunResultArguments, call: RunToolCall): Promise<ToolAnswer>;
  run_findings(args: RunFindingsArguments, call: RunToolCall): Promise<ToolAnswer>;
  run_list(args: RunListArguments, call: RunToolCall): Promise<ToolAnswer>;
  run_diff(args: RunDiffArguments, call: RunToolCall): Promise<ToolAnswer>;
  run_cancel(args: RunCancelArguments, call: RunToolCall): Promise<ToolAnswer>;
}

const PAGE = 50;

/** The handlers over the runs of the past and present. */
export function createRunToolHandlers(history: RunHistory): RunToolHandlers {
  return {
    run_status: async ({ runId, waitMs = 0, maxTokens }, { principal, signal, onEvent }) => {
      const run = await awaitRun(history, { principal, runId, waitMs, signal, onEvent });
      const findings = await briefOf(history, principal, run);
      return statusAnswer(run, { tokens: tokensOfCall(maxTokens), findings, next: nextOf(run, principal) });
    },
    run_cancel: async ({ runId }, { principal }) => {
      const run = await history.cancel(principal, runId);
      return statusAnswer(run, { tokens: tokensOfCall(undefined), next: nextOf(run, principal) });
    },
    run_result: (args, { principal }) => runResult(history, principal, args),
    run_findings: (args, { principal }) => runFindings(history, principal, args),
    run_list: (args, { principal }) => runList(history, principal, args),
    run_diff: (args, { principal }) => runDiff(history, principal, args),
  };
}

async function runResult(history: RunHistory, who: Principal, args: RunResultArguments): Promise<ToolAnswer> {
  const tokens = tokensOfCall(args.maxTokens);
  const result = await history.result(who, args.runId);
  const { runId, tool, outcome, complete, untrusted, cuts } = result;
  const { path = '', offset = 0 } = args;
  if (path === '' && offset === 0) {
    const record = fitsWhole(result, tokens) ? undefined : await history.get(who, args.runId);
    const findings = record === undefined ? undefined : await briefOf(history, who, record);
    return resultAnswer(result, { tokens, findings, next: record === undefined ? undefined : nextOf(record, who) });
  }
  const head = `${tool} ${outcome}${complete ? '' : ', INCOMPLETE'}. ${JSON.stringify(path)} from ${offset}. Run ${runId}.`;
  const lines = [withinTokens(visible(head), tokens / 5), untrusted];
  const body = { runId, tool, outcome, complete, untrusted, path, offset, cuts: cuts.slice(0, 1) };
  // The value is in the text and in the structured content; the rest is for `total`, `nextOffset` and its marks.
  const room = (tokens - estimateTokens(lines.join('\n')) - tokensOf(body)) / 2 - 30;
  const { value, shortened, ...paging } = partOf(result.result, { path, offset }, room);
  const structured = { ...body, ...paging, ...(shortened.length === 0 ? {} : { shortened }), result: value };
  const more = paging.nextOffset === undefined ? [] : [`More: offset ${paging.nextOffset} of ${paging.total}.`];
  return answer([...lines, ...more, visible(JSON.stringify(value))].join('\n'), structured);
}

function runFindings(history: RunHistory, who: Principal, args: RunFindingsArguments): Promise<ToolAnswer> {
  const { runId, cursor, maxTokens } = args;
  return fittingPage({
    tokens: tokensOfCall(maxTokens),
    limit: args.limit ?? PAGE,
    read: (limit) => history.findings(who, runId, { limit, cursor }),
    count: ({ findings }) => findings.length,
    render: ({ findings, nextCursor }, chars) => ({
      text: textOf([`${findings.length} findings of run ${runId}, worst first.`], findings.map(findingLine), {
        chars,
        nextCursor,
      }),
      structured: {
        runId,
        untrusted: UNTRUSTED,
        findings: findings.map((finding) => findingView(finding, chars)),
        ...(nextCursor === undefined ? {} : { nextCursor }),
      },
    }),
  });
}

function runList(history: RunHistory, who: Principal, args: RunListArguments): Promise<ToolAnswer> {
  const { maxTokens, limit: asked = PAGE, ...filters } = args;
  return fittingPage<RunPage>({
    tokens: tokensOfCall(maxTokens),
    limit: asked,
    read: (limit) => history.list(who, { ...filters, limit }),
    count: ({ runs }) => runs.length,
    render: ({ runs, nextCursor }, chars) => ({
      text: textOf([`${runs.length} runs, newest first.`], runs.map(runLine), { chars, nextCursor }),
      structured: {
        untrusted: UNTRUSTED,
        runs: runs.map((run) => runView(run, chars)),
        ...(nextCursor === undefined ? {} : { nextCursor }),
      },
    }),
  });
}

function runDiff(history: RunHistory, who: Principal, args: RunDiffArguments): Promise<ToolAnswer> {
  const { from, to, unchanged, cursor, maxTokens } = args;
  return fittingPage({
    tokens: tokensOfCall(maxTokens),
    limit: args.limit ?? PAGE,
    read: (limit) => history.diff(who, { from, to, unchanged, cursor, limit }),
    count: ({ entries }) => entries.length,
    render: ({ counts, notes, entries, nextCursor }, chars) => {
      const shown = notesOf(notes, chars);
      const numbers = Object.entries(counts).map(([state, count]) => `${state}: ${count}`);
      return {
        text: textOf([`${numbers.join(', ')}.`, ...shown], entries.map(diffEntryLine), { chars, nextCursor }),
        structured: {
          from,
          to,
          untrusted: UNTRUSTED,
          counts,
          notes: shown,
          entries: entries.map((entry) => diffEntryView(entry, chars)),
          ...(nextCursor === undefined ? {} : { nextCursor }),
        },
      };
    },
  });
}

const MAX_NOTES = 5;

function notesOf(notes: readonly string[], chars: number): string[] {
  const kept = notes.slice(0, MAX_NOTES).map((note) => visibleValue(note.slice(0, chars)) as string);
  return notes.length > MAX_NOTES ? [...kept, `…and ${notes.length - MAX_NOTES} more notes`] : kept;
}

function textOf(
  head: readonly string[],
  lines: readonly string[],
  end: { chars: number; nextCursor: string | undefined },
): string {
  const shown = lines.map((line) => visible(line.length > end.chars ? `${line.slice(0, end.chars)}…` : line));
  const more = end.nextCursor === undefined ? [] : [`More with cursor ${end.nextCursor}`];
  return [...head.map(visible), UNTRUSTED, ...shown, ...more].join('\n');
}
