import type { Finding } from '../../schemas/finding.ts';
import type { RunResult } from '../../schemas/run.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { describeFinding, isFinding } from './finding-report.ts';
import { askPatiently, PAGE, readPages } from './pages.ts';
import { printable, printableJson } from './printable.ts';
import { describeRecord, describeRun } from './run-report.ts';
import { isRecord, KEY_FILE, openSession, readRun, reportFailure, runPath, type Session } from './session.ts';

/** Each shows another part of a run. */
const PARTS = ['result', 'findings', 'output', 'stderr'] as const;

/** `show RUN`: the record of a run, or its result, its findings, or what the tool printed. */
export const show: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    result: { type: 'boolean', default: false },
    findings: { type: 'boolean', default: false },
    output: { type: 'boolean', default: false },
    stderr: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [runId, ...rest] = positionals;
  if (runId === undefined) throw usageError("show takes the id of a run; 'runs' lists them.");
  requireNoWords(rest);
  runPath(runId);
  const [part, second] = PARTS.filter((each) => values[each]);
  if (second !== undefined) throw usageError(`Give one of --${PARTS.join(', --')}.`);
  const isOutput = part === 'output' || part === 'stderr';
  if (isOutput && values.json) throw usageError('What the tool printed is text: leave out --json.');
  const session = await openSession(context, values['key-file']);
  const asked = { context, session, runId, asJson: values.json };
  if (part === 'result') return showResult(asked);
  if (part === 'findings') return showFindings(asked);
  if (isOutput) return showOutput(asked, part === 'output' ? 'stdout' : 'stderr');
  return showRecord(asked);
};

interface Asked {
  readonly context: CommandContext;
  readonly session: Session;
  readonly runId: string;
  readonly asJson: boolean;
}

async function showRecord({ context, session, runId, asJson }: Asked): Promise<number> {
  const record = await readRun(session, runId);
  if (!isRecord(record)) return reportFailure(record, context);
  if (asJson) context.out(printableJson(record));
  else for (const line of describeRecord(record)) context.out(line);
  return EXIT.ok;
}

async function showResult({ context, session, runId, asJson }: Asked): Promise<number> {
  const reply = await session.ask({ method: 'GET', path: runPath(runId, '/result'), timeoutMs: RESULT_MS });
  if (reply.kind !== 'answer' || reply.status !== 200) return reportFailure(reply, context);
  if (asJson) context.out(printableJson(reply.body));
  else for (const line of describeRun(reply.body as RunResult)) context.out(line);
  return EXIT.ok;
}

/** A result may have tens of megabytes. */
const RESULT_MS = 60_000;

async function showFindings({ context, session, runId, asJson }: Asked): Promise<number> {
  const list = {
    path: runPath(runId, '/findings'),
    query: new URLSearchParams({ limit: PAGE }),
    name: 'findings',
    isItem: isFinding,
  };
  const found: Finding[] = [];
  let count = 0;
  for await (const page of readPages(session, list)) {
    if (page.kind !== 'page') return reportFailure(page, context);
    count += page.items.length;
    if (asJson) found.push(...page.items);
    else for (const finding of page.items) context.out(describeFinding(finding));
  }
  if (asJson) context.out(printableJson(found));
  else if (count === 0) context.out('There are no findings.');
  return warnOfUnfinished({ context, session, runId, asJson });
}

/** "No finding" and "did not look" are different answers. */
async function warnOfUnfinished({ context, session, runId }: Asked): Promise<number> {
  const record = await readRun(session, runId);
  if (isRecord(record) && !record.complete) {
    context.err(
      `sallyport: the run is ${record.state} and incomplete: what is not listed was not necessarily looked at`,
    );
  }
  return EXIT.ok;
}

/** The most that is given at once. */
const OUTPUT_BYTES = 1_048_576;

async function showOutput({ context, session, runId }: Asked, stream: 'stdout' | 'stderr'): Promise<number> {
  for (let offset = 0; ; ) {
    const part = `/output?stream=${stream}&offset=${offset}&limit=${OUTPUT_BYTES}`;
    const reply = await askPatiently(session, runPath(runId, part));
    if (reply.kind !== 'answer' || reply.status !== 200) return reportFailure(reply, context);
    const { text, nextOffset, isFinal } = reply.body as { text: unknown; nextOffset: unknown; isFinal: unknown };
    if (typeof text !== 'string') return reportFailure(reply, context);
    await context.write(Buffer.from(printable(text)));
    if (nextOffset === undefined) {
      if (isFinal !== true) context.err('sallyport: the run goes on; there may be more');
      return EXIT.ok;
    }
    // An offset that does not go on would be read for ever.
    if (!Number.isSafeInteger(nextOffset) || Number(nextOffset) <= offset) return reportFailure(reply, context);
    offset = Number(nextOffset);
  }
}
