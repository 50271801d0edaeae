import { type Run, RUN_STATES } from '../../schemas/run-record.ts';
import { systemClock } from '../core/clock.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { PAGE, readPages } from './pages.ts';
import { printableJson } from './printable.ts';
import { isRun, tableOfRuns } from './run-report.ts';
import { KEY_FILE, openSession, reportFailure } from './session.ts';

const MAX_RUNS = 10_000;

/** `runs`: the caller's runs, newest first, as many as `--limit` says. */
export const runs: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    tool: { type: 'string' },
    state: { type: 'string', multiple: true, default: [] },
    target: { type: 'string' },
    since: { type: 'string' },
    limit: { type: 'string', short: 'n', default: '20' },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  requireNoWords(positionals);
  const limit = readLimit(values.limit);
  const query = new URLSearchParams({ limit: String(Math.min(Number(PAGE), limit)) });
  if (values.tool !== undefined) query.set('tool', values.tool);
  for (const state of readStates(values.state)) query.append('state', state);
  if (values.target !== undefined) query.set('target', values.target);
  if (values.since !== undefined) query.set('since', readSince(values.since));
  const session = await openSession(context, values['key-file']);
  const found: Run[] = [];
  let areMore = false;
  for await (const page of readPages(session, { path: '/v1/runs', query, name: 'runs', isItem: isRun })) {
    if (page.kind !== 'page') return reportFailure(page, context);
    found.push(...page.items);
    areMore = found.length > limit || page.body['nextCursor'] !== undefined;
    if (found.length >= limit) break;
  }
  show(found.slice(0, limit), values.json, context);
  if (areMore && !values.json) context.err(`sallyport: there are more than these ${limit}; see --limit and --since`);
  return EXIT.ok;
};

function show(found: readonly Run[], asJson: boolean, { out, screen }: CommandContext): void {
  if (asJson) out(printableJson(found));
  else if (found.length === 0) out('There are no such runs.');
  // A file or a pipe has no width: nothing is cut there.
  else for (const line of tableOfRuns(found, screen.isOutTerminal ? screen.columns() : Infinity)) out(line);
}

function readLimit(text: string): number {
  const limit = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(limit <= MAX_RUNS)) throw usageError(`--limit takes a number from 1 to ${MAX_RUNS}, not '${text}'.`);
  return limit;
}

function readStates(texts: readonly string[]): readonly string[] {
  const states = texts.flatMap((text) => text.split(','));
  const unknown = states.find((state) => !RUN_STATES.some((known) => known === state));
  if (unknown !== undefined) throw usageError(`There is no state '${unknown}'; there are ${RUN_STATES.join(', ')}.`);
  return states;
}

/** A duration back from now, or an ISO 8601 date. */
function readSince(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return new Date(systemClock.now() - parseDuration(text)).toISOString();
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw usageError(`'${text}' is no date; write 2027-01-31 or 2027-01-31T12:00:00Z.`);
  return new Date(moment).toISOString();
}
