import type { CALL_OUTCOMES, RunResult } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run-record.ts';
import { shorten, tokensOf } from './shorten.ts';
import { goingOnText, resultText, UNTRUSTED } from './text.ts';
import { visibleValue } from './visible.ts';

/** What a call of a tool answers. */
export interface ToolAnswer {
  readonly content: readonly { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: true;
  readonly _meta?: Record<string, unknown>;
}

/** What an answer about a run is made with besides the run. */
export interface AnswerFrame {
  /** For text and structured content together. */
  readonly tokens: number;
  /** One line for each of the most important findings, when they are known. */
  readonly findings?: FindingsBrief | undefined;
  /** What to call for the rest. */
  readonly next?: string | undefined;
  /** Whether a structured answer fits the tool's output schema. */
  readonly fits?: (candidate: unknown) => boolean;
}

/** How many findings a run has, and the most important ones as lines. */
export interface FindingsBrief {
  readonly total: number;
  readonly bySeverity: Readonly<Record<string, number>>;
  readonly lines: readonly string[];
}

/** Structured content may take this part of the budget; the text has the rest, for clients that show only one of them. */
const STRUCTURED_SHARE = 0.6;

/** True when the whole answer of a run has room in the structured part. */
export function fitsWhole(run: RunResult, tokens: number): boolean {
  return tokensOf(run) <= tokens * STRUCTURED_SHARE;
}

/** What of a run's answer fits, structured: whole, or shortened in a way that says so. */
export function structuredResult(run: RunResult, frame: AnswerFrame): Record<string, unknown> {
  return fitsWhole(run, frame.tokens) ? { ...run } : reducedResult(run, frame);
}

/** The answer of a run that ended. */
export function resultAnswer(run: RunResult, frame: AnswerFrame): ToolAnswer {
  const structuredContent = structuredResult(run, frame);
  const tokens = frame.tokens - tokensOf(structuredContent);
  return answer(resultText(run, { tokens, findings: frame.findings?.lines, next: frame.next }), structuredContent);
}

/** The answer of a run that goes on: its handle, and what is known until now. */
export function goingOnAnswer(run: Run, frame: AnswerFrame): ToolAnswer {
  const outcome: (typeof CALL_OUTCOMES)[number] = 'unfinished';
  const { runId, tool, state, durationMs, queuedMs, progress } = run;
  const body: Record<string, unknown> = {
    runId,
    tool,
    outcome,
    state,
    complete: false,
    untrusted: UNTRUSTED,
    durationMs,
    queuedMs,
    cuts: [],
    result: null,
    ...(frame.next === undefined ? {} : { next: frame.next }),
  };
  if (progress !== null) addIfFits(body, { progress: visibleValue(progress) }, frame.tokens * STRUCTURED_SHARE * 0.6);
  addFindings(body, frame);
  for (const name of ['targets', 'degraded'] as const)
    addIfFits(body, { [name]: run[name] }, frame.tokens * STRUCTURED_SHARE);
  const tokens = frame.tokens - tokensOf(body);
  return answer(goingOnText(run, { tokens, findings: frame.findings?.lines, next: frame.next }), body);
}

/** An answer of one text and its structured content. */
export function answer(text: string, structuredContent: Record<string, unknown>): ToolAnswer {
  return { content: [{ type: 'text', text }], structuredContent };
}

/** Adds counts and as many lines of findings as fit. */
export function addFindings(body: Record<string, unknown>, { tokens, findings }: AnswerFrame): void {
  if (findings === undefined) return;
  const { total, bySeverity, lines } = findings;
  const limit = tokens * STRUCTURED_SHARE;
  if (!addIfFits(body, { findings: { total, bySeverity } }, limit)) return;
  const room = (limit - tokensOf(body)) / 2;
  let used = 0;
  const top = lines.filter((line) => {
    used += tokensOf(line) + 1;
    return used <= room;
  });
  if (top.length > 0) body['findings'] = { total, bySeverity, top };
}

/** In the order in which they get what room there is; none of them may take more than its share. */
const EXTRAS = [
  'degraded',
  'targets',
  'exitCode',
  'durationMs',
  'startedAt',
  'queuedMs',
  'stdout',
  'stderr',
  'argv',
  'layers',
] as const;
const EXTRA_SHARE = 0.15;
const MAX_CUTS = 3;

function reducedResult(run: RunResult, frame: AnswerFrame): Record<string, unknown> {
  const { runId, tool, outcome, complete, untrusted, cuts } = run;
  const limit = frame.tokens * STRUCTURED_SHARE;
  const lost = cuts.length > MAX_CUTS ? [{ path: 'cuts', kind: 'items', omitted: cuts.length - MAX_CUTS }] : [];
  const body: Record<string, unknown> = {
    runId,
    tool,
    outcome,
    complete,
    untrusted,
    result: null,
    cuts: cuts.slice(0, MAX_CUTS).map((cut) => ({ ...cut, path: cut.path.slice(0, 60) })),
    shortened: [{ path: '', kind: 'items', omitted: 1 }, ...lost],
    ...(frame.next === undefined ? {} : { next: frame.next }),
  };
  addFindings(body, frame);
  const room = limit - tokensOf(body);
  for (const name of EXTRAS)
    if (tokensOf(run[name]) <= room * EXTRA_SHARE) addIfFits(body, { [name]: run[name] }, limit - room / 2);
  const short = shorten(run.result, limit - tokensOf(body));
  if (short === undefined) return body;
  const full = { ...body, result: short.value, shortened: [...short.shortened, ...lost] };
  // A shortened text may break a pattern of the schema, and a client would then throw the whole answer away.
  return tokensOf(full) <= limit && frame.fits?.(full) !== false ? full : body;
}

function addIfFits(body: Record<string, unknown>, more: Record<string, unknown>, tokens: number): boolean {
  if (tokensOf({ ...body, ...more }) > tokens) return false;
  Object.assign(body, more);
  return true;
}
