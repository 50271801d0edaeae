import type { Diff } from '../../schemas/finding.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { describeCounts, describeDiffEntry, isDiffEntry } from './finding-report.ts';
import { PAGE, readPages } from './pages.ts';
import { oneLine, printableJson } from './printable.ts';
import { isRecord, KEY_FILE, openSession, readRun, reportFailure, runPath } from './session.ts';

/** As diff(1): 1 says that there is a difference, so trouble needs a number of its own. */
const DIFF_EXIT = { same: 0, different: 1, trouble: 2 } as const;

/**
 * `diff FROM TO`: what became of the findings of one run in another. Exit code 0 only when everything was compared and
 * is the same: what was not looked at is not known to be the same.
 */
export const diff: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    unchanged: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [from, to, ...rest] = positionals;
  if (from === undefined || to === undefined) throw usageError("diff takes the ids of two runs; 'runs' lists them.");
  requireNoWords(rest);
  for (const runId of [from, to]) runPath(runId);
  const query = new URLSearchParams({ from, to, limit: PAGE, ...(values.unchanged && { unchanged: 'true' }) });
  const session = await openSession(context, values['key-file']);
  const entries: unknown[] = [];
  let first: Diff | undefined;
  for await (const page of readPages(session, { path: '/v1/diff', query, name: 'entries', isItem: isDiffEntry })) {
    if (page.kind !== 'page' || !isDiff(page.body)) return reportTrouble(page.kind === 'page' ? WRONG : page, context);
    if (first === undefined && !values.json) printHead(page.body, context);
    first ??= page.body;
    if (values.json) entries.push(...page.items);
    else for (const entry of page.items) context.out(describeDiffEntry(entry));
  }
  if (first === undefined) return DIFF_EXIT.trouble;
  const { nextCursor: _next, ...whole } = first;
  if (values.json) context.out(printableJson({ ...whole, entries }));
  if (!isSame(first)) return DIFF_EXIT.different;
  // Nothing is known to differ; a second run that broke off before it found anything says no more than that.
  const second = await readRun(session, to);
  if (!isRecord(second)) return reportTrouble(second, context);
  if (second.complete) return DIFF_EXIT.same;
  context.err(`sallyport: ${to} did not look at everything: it is not known to be the same`);
  return DIFF_EXIT.different;
};

const WRONG = { kind: 'unreachable', reason: 'its answer is no comparison' } as const;

function reportTrouble(reply: Parameters<typeof reportFailure>[0], context: CommandContext): number {
  const code = reportFailure(reply, context);
  return code === EXIT.failed ? DIFF_EXIT.trouble : code;
}

function printHead(compared: Diff, { out, err }: CommandContext): void {
  out(oneLine(`${compared.from} → ${compared.to}: ${describeCounts(compared)}`));
  for (const note of compared.notes) err(oneLine(`sallyport: ${note}`));
}

function isSame({ counts }: Diff): boolean {
  return counts.new + counts.gone + counts.changed + counts.not_looked_at === 0;
}

function isDiff(body: Readonly<Record<string, unknown>>): body is Diff & Record<string, unknown> {
  const { from, to, counts, notes } = body;
  const isCounted =
    typeof counts === 'object' &&
    counts !== null &&
    ['new', 'gone', 'changed', 'unchanged', 'not_looked_at'].every((each) =>
      Number.isInteger(Reflect.get(counts, each)),
    );
  return isCounted && typeof from === 'string' && typeof to === 'string' && Array.isArray(notes);
}
