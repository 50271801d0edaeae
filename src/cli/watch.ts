import { type Command, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { describeFinding, isFinding } from './finding-report.ts';
import { type FollowedEvent, followRun } from './follow-run.ts';
import { oneLine } from './printable.ts';
import { createProgressBar } from './progress-bar.ts';
import { describeError, errorOf, headOf } from './run-report.ts';
import { INTERRUPTED, isRecord, KEY_FILE, openSession, readRun, reportFailure, runPath } from './session.ts';

/** `watch RUN`: what it finds, as it is found, until it has ended. Ctrl-C leaves; the run goes on. */
export const watch: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    quiet: { type: 'boolean', short: 'q', default: false },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [runId, ...rest] = positionals;
  if (runId === undefined) throw usageError("watch takes the id of a run; 'runs' lists them.");
  requireNoWords(rest);
  runPath(runId);
  const session = await openSession(context, values['key-file']);
  const before = await readRun(session, runId);
  if (!isRecord(before)) return reportFailure(before, context);
  const bar = createProgressBar(context, { tool: before.tool, isQuiet: values.quiet, now: () => performance.now() });
  const describe = values.json ? describeAsJson : describeForReader;
  const end = await followRun(session, {
    runId,
    signal: context.signal,
    onEvent(event) {
      bar.take(event);
      for (const line of describe(event)) bar.print(line);
    },
    onLost: (reason) => bar.say(`sallyport: the connection was lost (${oneLine(reason)}); trying again`),
  });
  bar.end();
  if (end.kind === 'failed') {
    if (end.reply.kind !== 'cancelled') return reportFailure(end.reply, context);
    context.err(`sallyport: the run goes on; 'sallyport cancel ${runId}' ends it`);
    return INTERRUPTED;
  }
  const record = await readRun(session, runId);
  if (!isRecord(record)) return reportFailure(record, context);
  if (!values.json) context.out(headOf(record));
  const error = errorOf(record, undefined);
  if (error !== undefined) for (const line of describeError(error, 0)) context.err(line);
  return record.state === 'succeeded' ? EXIT.ok : EXIT.failed;
};

/** One JSON document for each event and line. */
function describeAsJson(event: FollowedEvent): readonly string[] {
  return [oneLine(JSON.stringify(event))];
}

/** Findings, and nothing else: states and progress are shown by the bar. */
function describeForReader({ type, data }: FollowedEvent): readonly string[] {
  if (type !== 'finding') return [];
  const finding = data['finding'] ?? data;
  if (isFinding(finding)) return [describeFinding(finding)];
  const { message } = data;
  return typeof message === 'string' ? [oneLine(message)] : [];
}
