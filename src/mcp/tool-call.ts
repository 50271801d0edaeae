import type { RunOptions, RunResult } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run-record.ts';
import type { Principal } from '../core/auth/types.ts';
import { type ErrorCode, ERRORS, SallyportError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { waitForRun } from '../core/run/wait.ts';
import type { RunEngine, RunHistory, StartedRun } from '../core/run/types.ts';
import type { ToolEvent } from '../core/tool/definition.ts';
import type { RegisteredTool } from '../core/tool/registry-types.ts';
import { tokensOfCall } from './budget.ts';
import type { Ask, Confirmations, Retry } from './confirm.ts';
import { briefOf, nextOf } from './follow-up.ts';
import type { OutputCheck } from './output-check.ts';
import { type AnswerFrame, fitsWhole, goingOnAnswer, resultAnswer, type ToolAnswer } from './run-answer.ts';
import { awaitRun, isGoingOn } from './run-wait.ts';

/** What a call of a security tool stands on. */
export interface ToolCallParts {
  readonly runs: RunEngine;
  readonly history: RunHistory;
  readonly log: Log;
  readonly isOutput: OutputCheck;
  readonly confirmations: Confirmations;
  /** Longest wait for the end of a run when the call names none, milliseconds. */
  readonly inlineWaitMs: () => number;
  /** True once the endpoint stops: what ends connections then must not end runs. */
  readonly isStopping: () => boolean;
}

/** One call of a security tool. */
export interface SecurityCall {
  readonly tool: RegisteredTool;
  readonly input: unknown;
  readonly run: RunOptions | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborted when the client cancels; with `isLasting` not when it only loses its connection. */
  readonly signal: AbortSignal;
  /** The era in which losing the connection is no cancellation: the run is detached at once. */
  readonly isLasting: boolean;
  readonly onEvent: (event: ToolEvent) => void;
  /** Asks the person at the client; absent when it cannot be asked. */
  readonly ask?: Ask | undefined;
  /** What a person answered to the question of an earlier call like this one: it starts nothing. */
  readonly retry?: Retry | undefined;
}

/** Starts a run and answers its end, or its handle when that takes longer than the call waits. Rejects as the engine. */
export async function callSecurityTool(parts: ToolCallParts, call: SecurityCall): Promise<ToolAnswer> {
  if (call.retry !== undefined) return followConfirmed(parts, call, call.retry);
  const { tool, run, principal, requestId, signal, onEvent } = call;
  const { name } = tool.definition;
  const started = await parts.runs.start({
    tool: name,
    input: call.input,
    run,
    principal,
    requestId,
    signal,
    onEvent,
  });
  const waiting = call.isLasting ? await lasting(parts, started, call) : { started, release: () => undefined };
  const waited = await parts.confirmations
    .seek(call, waiting.started, waitMsOf(parts, run))
    .then((waitMs) => waitForRun(waiting.started, waitMs))
    .finally(waiting.release);
  return waited.kind === 'ended' ? endedAnswer(parts, call, waited.result) : handleAnswer(parts, call, waited.run);
}

/** The answer of the run that a person's answer belongs to, as its own call would have given it. */
async function followConfirmed(parts: ToolCallParts, call: SecurityCall, retry: Retry): Promise<ToolAnswer> {
  const { principal, requestId, signal, onEvent } = call;
  const { runId, waitMs } = await parts.confirmations.take(call, retry, waitMsOf(parts, call.run));
  const run = await awaitRun(parts.history, { principal, runId, waitMs, signal, onEvent });
  if (isGoingOn(run)) {
    // Closing the stream cancels what the call waits for (MCP 2026-07-28), unless it is we who close it.
    if (signal.aborted && !parts.isStopping()) await cancelQuietly(parts, { principal, requestId }, runId);
    return handleAnswer(parts, call, run);
  }
  const hasResult = run.state === 'succeeded' || run.startedAt !== null;
  const result = hasResult ? await parts.history.result(principal, runId) : undefined;
  if (run.state === 'succeeded' && result !== undefined) return endedAnswer(parts, call, result);
  const { code, message } = run.error ?? { code: 'ERR_INTERNAL', message: 'The run ended without an answer.' };
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ERR_INTERNAL';
  throw new SallyportError(known, message, result === undefined ? {} : { details: { run: result } });
}

async function endedAnswer(parts: ToolCallParts, call: SecurityCall, result: RunResult): Promise<ToolAnswer> {
  return resultAnswer(result, { ...frameOf(parts, call), ...(await knownOf(parts, call, result)) });
}

async function handleAnswer(parts: ToolCallParts, call: SecurityCall, run: Run): Promise<ToolAnswer> {
  const findings = await withoutFault(parts, call, () => briefOf(parts.history, call.principal, run));
  return goingOnAnswer(run, { ...frameOf(parts, call), findings, next: nextOf(run, call.principal) });
}

function frameOf(parts: ToolCallParts, { tool, run }: SecurityCall): AnswerFrame {
  return {
    tokens: tokensOfCall(run?.maxTokens),
    fits: (value) => parts.isOutput(tool.definition, value),
  };
}

/** What stands beside a result that has no room: its most important findings and where the rest is. */
export async function knownOf(
  parts: Pick<ToolCallParts, 'history' | 'log'>,
  { principal, requestId, run }: Pick<SecurityCall, 'principal' | 'requestId' | 'run'>,
  result: RunResult,
): Promise<Pick<AnswerFrame, 'findings' | 'next'>> {
  if (fitsWhole(result, tokensOfCall(run?.maxTokens))) return {};
  const known = await withoutFault(parts, { requestId }, async () => {
    const record = await parts.history.get(principal, result.runId);
    return { findings: await briefOf(parts.history, principal, record), next: nextOf(record, principal) };
  });
  return known ?? {};
}

/** The engine has checked it; what is no number here is not waited for. */
function waitMsOf({ inlineWaitMs }: ToolCallParts, run: RunOptions | undefined): number {
  return typeof run?.waitMs === 'number' ? run.waitMs : inlineWaitMs();
}

/**
 * Detached, and still ended by an explicit cancellation: `signal` means nothing to a detached run, so that it is
 * cancelled by its id. Whoever waits is let go, whatever the run does then.
 */
async function lasting(parts: ToolCallParts, started: StartedRun, { signal, principal, requestId }: SecurityCall) {
  await started.detach();
  const { runId, isNew } = started;
  const stopped = Promise.withResolvers<never>();
  const leave = () => {
    // A gateway that stops ends every session; what runs then is the engine's to end or to keep.
    if (parts.isStopping())
      return stopped.reject(new SallyportError('ERR_SHUTTING_DOWN', `The gateway is stopping. Run ${runId}.`));
    void cancelQuietly(parts, { principal, requestId }, runId);
  };
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  const ended = Promise.race([started.ended, stopped.promise]);
  // Whoever waits 0 ms never asks for it.
  ended.catch(() => undefined);
  return {
    started: { runId, isNew, ended, read: () => started.read(), detach: () => started.detach() },
    release: () => signal.removeEventListener('abort', leave),
  };
}

async function cancelQuietly(
  { history, log }: ToolCallParts,
  { principal, requestId }: Pick<SecurityCall, 'principal' | 'requestId'>,
  runId: string,
): Promise<void> {
  await history.cancel(principal, runId).catch((cause: unknown) => log.error('request.failed', { requestId, cause }));
}

/** What only adds to an answer must not take the answer away. */
async function withoutFault<T>(
  { log }: Pick<ToolCallParts, 'log'>,
  { requestId }: Pick<SecurityCall, 'requestId'>,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    log.warn('request.failed', { requestId, cause });
    return undefined;
  }
}
