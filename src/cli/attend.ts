import type { RunResult } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run-record.ts';
import { type CommandContext, EXIT } from './command.ts';
import { type FollowEnd, followRun } from './follow-run.ts';
import { oneLine, printableJson } from './printable.ts';
import { createProgressBar, type ProgressBar } from './progress-bar.ts';
import { describeError, describeRun, errorOf, headOf } from './run-report.ts';
import { INTERRUPTED, isRecord, readRun, reportFailure, runPath, type Session } from './session.ts';

/** A run that was started, and how to show it. */
export interface Attended {
  readonly run: Run;
  readonly isQuiet: boolean;
  readonly asJson: boolean;
}

/**
 * Stays with a run until it has ended, shows how it goes on, and prints what came of it. Ctrl-C ends the run and is
 * waited for; a second one leaves at once, for then nothing is listened to any more. Resolves to the exit code.
 */
export async function attendRun(context: CommandContext, session: Session, attended: Attended): Promise<number> {
  const { runId, tool } = attended.run;
  const bar = createProgressBar(context, { tool, isQuiet: attended.isQuiet, now: () => performance.now() });
  const cancel = (): void => void cancelRun(session, runId, bar);
  context.signal.addEventListener('abort', cancel, { once: true });
  // It may have been pressed while the gateway was still taking the run.
  if (context.signal.aborted) cancel();
  const end = await followRun(session, {
    runId,
    onEvent: (event) => bar.take(event),
    onLost: (reason) => bar.say(`sallyport: the connection was lost (${oneLine(reason)}); trying again`),
  });
  context.signal.removeEventListener('abort', cancel);
  bar.end();
  return end.kind === 'failed' ? reportLeft(context, runId, end) : reportEnd(context, session, attended);
}

async function cancelRun(session: Session, runId: string, bar: ProgressBar): Promise<void> {
  bar.say('sallyport: cancelling the run; Ctrl-C again leaves without waiting for it');
  const reply = await session.ask({ method: 'POST', path: runPath(runId, '/cancel'), timeoutMs: CANCEL_MS });
  if (reply.kind === 'answer' && reply.status < 300) return;
  bar.say('sallyport: it could not be cancelled and goes on:');
  reportFailure(reply, { err: (line) => bar.say(line) });
}

/** Ends a process tree that may have to be killed. */
const CANCEL_MS = 30_000;

/** The run could not be followed to its end: it goes on, and nothing of it is lost. */
function reportLeft(context: CommandContext, runId: string, end: FollowEnd & { kind: 'failed' }): number {
  const code = reportFailure(end.reply, context);
  context.err(`sallyport: the run is not ended by that; follow it with 'sallyport watch ${runId}'`);
  return context.signal.aborted ? INTERRUPTED : code;
}

async function reportEnd(context: CommandContext, session: Session, { run, asJson }: Attended): Promise<number> {
  const record = await readRun(session, run.runId);
  if (!isRecord(record)) return reportFailure(record, context);
  const reply = await session.ask({ method: 'GET', path: runPath(run.runId, '/result'), timeoutMs: RESULT_MS });
  const result = reply.kind === 'answer' && reply.status === 200 ? (reply.body as RunResult) : undefined;
  if (record.state === 'succeeded') {
    if (result === undefined) return reportFailure(reply, context);
    if (asJson) context.out(printableJson(result));
    else for (const line of describeRun(result)) context.out(line);
    return EXIT.ok;
  }
  const error = errorOf(record, result);
  if (asJson) context.out(printableJson(error ?? result ?? record));
  else if (error === undefined) context.err(headOf(record));
  else for (const line of describeError(error, 0)) context.err(line);
  return record.state === 'cancelled' && context.signal.aborted ? INTERRUPTED : EXIT.failed;
}

/** A result may have tens of megabytes. */
const RESULT_MS = 60_000;
