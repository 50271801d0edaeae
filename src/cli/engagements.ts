import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EngagementVersion, EngagementView } from '../../schemas/engagement.ts';
import { readYaml } from '../config/engagements-yaml.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { alignColumns, oneLine, printableJson } from './printable.ts';
import { KEY_FILE, openSession, type Question, reportFailure, type Session } from './session.ts';

const OPTIONS = {
  reason: { type: 'string' },
  json: { type: 'boolean', default: false },
  ...KEY_FILE,
} as const;
/** Larger than any engagement. */
const MAX_FILE_BYTES = 262_144;

/** One call of the verb, read. */
interface Call {
  readonly context: CommandContext;
  readonly session: Session;
  readonly asJson: boolean;
  /** The word after the action: an id, or a file. */
  readonly about: string;
  readonly reason: string | undefined;
}

const ACTIONS: Readonly<Record<string, (call: Call) => Promise<number>>> = {
  list,
  show,
  versions,
  put,
  remove: (call) => change(call, 'remove'),
  revoke: (call) => change(call, 'revoke'),
  reinstate: (call) => change(call, 'reinstate'),
};

/** `engagements list | show | versions | put | remove | revoke | reinstate`: asks the running gateway. */
export const engagements: Command = async (context) => {
  const [action = 'list', ...args] =
    context.args[0]?.startsWith('-') === true ? ['list', ...context.args] : context.args;
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (act === undefined) throw usageError(`engagements takes ${Object.keys(ACTIONS).join(', ')}, not '${action}'.`);
  const { values, positionals } = parseOptions(args, OPTIONS);
  const [about = '', ...rest] = positionals;
  requireNoWords(action === 'list' ? positionals : rest);
  if (about === '' && action !== 'list') {
    throw usageError(`engagements ${action} takes ${action === 'put' ? 'a YAML or JSON file' : 'the id of one'}.`);
  }
  const { reason, json } = values;
  return act({ context, session: await openSession(context, values['key-file']), asJson: json, about, reason });
};

async function list({ context, session, asJson }: Call): Promise<number> {
  const reply = await session.ask({ method: 'GET', path: '/v1/engagements' });
  if (!isDone(reply)) return reportFailure(reply, context);
  const { engagements: all } = reply.body as { engagements: EngagementView[] };
  if (asJson) context.out(printableJson(all));
  else if (all.length === 0) context.out('There are no engagements.');
  else {
    const rows = all.map((each) => [each.id, each.state, each.document.risk, each.source, each.document.title]);
    for (const line of alignColumns([['ID', 'STATE', 'RISK', 'SOURCE', 'TITLE'], ...rows])) context.out(oneLine(line));
  }
  return EXIT.ok;
}

async function show(call: Call): Promise<number> {
  return showView(call, { method: 'GET', path: pathOf(call.about) });
}

async function versions({ context, session, asJson, about }: Call): Promise<number> {
  const reply = await session.ask({ method: 'GET', path: pathOf(about, '/versions') });
  if (!isDone(reply)) return reportFailure(reply, context);
  const { versions: all } = reply.body as { versions: EngagementVersion[] };
  if (asJson) context.out(printableJson(all));
  else for (const { version, since, source, by } of all) context.out(oneLine([version, since, source, by].join('  ')));
  return EXIT.ok;
}

async function put(call: Call): Promise<number> {
  const body = readDocument(resolve(call.context.cwd, call.about));
  const { id } = body as { id?: unknown };
  if (typeof id !== 'string') throw usageError('The file has no id.');
  return showView(call, { method: 'PUT', path: pathOf(id), body });
}

async function change(call: Call, action: 'remove' | 'revoke' | 'reinstate'): Promise<number> {
  const { context, session, about, reason } = call;
  if (reason === undefined || reason.trim() === '') throw usageError(`engagements ${action} takes --reason TEXT.`);
  if (action !== 'remove')
    return showView(call, { method: 'POST', path: pathOf(about, `/${action}`), body: { reason } });
  const path = `${pathOf(about)}?${new URLSearchParams({ reason }).toString()}`;
  const reply = await session.ask({ method: 'DELETE', path });
  if (!isDone(reply)) return reportFailure(reply, context);
  context.out(`Removed ${about}.`);
  return EXIT.ok;
}

async function showView({ context, session, asJson }: Call, question: Question): Promise<number> {
  const reply = await session.ask(question);
  if (!isDone(reply)) return reportFailure(reply, context);
  const view = reply.body as EngagementView;
  if (asJson) context.out(printableJson(view));
  else for (const line of linesOf(view)) context.out(oneLine(line));
  return EXIT.ok;
}

function linesOf(view: EngagementView): readonly string[] {
  const { id, version, source, state, document, revoked } = view;
  return [
    `${id}  ${state}  ${source}  ${version}`,
    ...(view.why === undefined ? [] : [view.why]),
    ...(view.opensAt === undefined ? [] : [`opens      ${view.opensAt}`]),
    ...(view.closesAt === undefined ? [] : [`closes     ${view.closesAt}`]),
    ...(revoked === null ? [] : [`revoked    ${revoked.at} by ${revoked.by}: ${revoked.reason}`]),
    `title      ${document.title}`,
    `approver   ${document.approver}`,
    `principals ${document.principals.join(', ')}`,
    `risk       ${document.risk}`,
    `scope      ${document.scope.allow.join(', ')}`,
    ...(document.scope.deny === undefined ? [] : [`without    ${document.scope.deny.join(', ')}`]),
    `tools      ${document.tools.allow.join(', ')}`,
    ...view.notices.map((notice) => `notice     ${notice}`),
  ];
}

/** The file is read as the gateway reads its directory; what is in it, the gateway judges. */
function readDocument(path: string): object {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw usageError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
  }
  if (content.length > MAX_FILE_BYTES) throw usageError(`${path} is larger than ${MAX_FILE_BYTES} bytes.`);
  const read = readYaml(content);
  if ('document' in read) return read.document as object;
  const faults = read.faults.map(({ line, message }) => (line === undefined ? message : `line ${line}: ${message}`));
  throw usageError(`${path}: ${faults.join('; ')}`);
}

function pathOf(id: string, rest = ''): string {
  // What cannot be an id would name another path.
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(id)) throw usageError(`'${id}' is no id of an engagement.`);
  return `/v1/engagements/${id}${rest}`;
}

function isDone(
  reply: Awaited<ReturnType<Session['ask']>>,
): reply is { kind: 'answer'; status: number; body: unknown } {
  return reply.kind === 'answer' && reply.status < 300;
}
