import type { Approval } from '../../schemas/approval.ts';
import { describeApproval, isApproval, tableOfApprovals } from './approval-report.ts';
import type { GatewayReply } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { printableJson } from './printable.ts';
import { isRunId } from './run-report.ts';
import { KEY_FILE, openSession, reportFailure, type Session } from './session.ts';

const ACTS = ['list', 'show', 'approve', 'deny'] as const;
const MAX_REASON = 500;

/** `approvals`: what waits for your consent, one request whole, and your answer to it. */
export const approvals: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    reason: { type: 'string' },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [word = 'list', runId, ...rest] = positionals;
  const act = ACTS.find((each) => each === word);
  if (act === undefined) throw usageError(`There is no 'approvals ${word}'; there are ${ACTS.join(', ')}.`);
  requireNoWords(act === 'list' ? positionals.slice(1) : rest);
  const decides = act === 'approve' || act === 'deny';
  if (!decides && values.reason !== undefined) throw usageError(`'approvals ${act}' takes no --reason.`);
  const reason = decides ? reasonOf(act, values.reason) : '';
  const path = act === 'list' ? '' : approvalPath(act, runId);
  const session = await openSession(context, values['key-file']);
  const asked = { context, session, path, asJson: values.json };
  if (act === 'list') return list(asked);
  return act === 'show' ? show(asked) : decide(asked, act, reason);
};

interface Asked {
  readonly context: CommandContext;
  readonly session: Session;
  readonly path: string;
  readonly asJson: boolean;
}

async function list({ context, session, asJson }: Asked): Promise<number> {
  const reply = await session.ask({ method: 'GET', path: '/v1/approvals' });
  const found = reply.kind === 'answer' && reply.status === 200 ? itemsOf(reply.body) : undefined;
  if (found === undefined) return reportFailure(reply, context);
  const { out, screen } = context;
  if (asJson) out(printableJson(found));
  else if (found.length === 0) out('Nothing waits for your approval.');
  else for (const line of tableOfApprovals(found, screen.isOutTerminal ? screen.columns() : Infinity)) out(line);
  return EXIT.ok;
}

async function show({ context, session, path, asJson }: Asked): Promise<number> {
  const found = await read(session, path);
  if (!isApproval(found)) return reportFailure(found, context);
  print(found, asJson, context);
  return EXIT.ok;
}

/** Shows what is decided and sends the digest of what was shown: nothing else can be meant. */
async function decide({ context, session, path, asJson }: Asked, act: 'approve' | 'deny', reason: string) {
  const found = await read(session, path);
  if (!isApproval(found)) return reportFailure(found, context);
  if (!asJson) print(found, false, context);
  const body = { digest: found.digest, reason };
  const reply = await session.ask({ method: 'POST', path: `${path}/${act}`, body, timeoutMs: DECIDE_MS });
  if (reply.kind !== 'answer' || reply.status !== 200 || !isApproval(reply.body)) return reportFailure(reply, context);
  if (asJson) print(reply.body, true, context);
  else context.out(sentenceOf(act, reply.body));
  return EXIT.ok;
}

const DECIDE_MS = 10_000;

function sentenceOf(act: 'approve' | 'deny', { state, quorum, decisions }: Approval): string {
  if (act === 'deny') return 'Denied: the run does not happen.';
  if (state === 'approved') return 'Approved: the run goes on.';
  const given = decisions.filter(({ decision }) => decision === 'approved').length;
  return `Approved: ${given} of ${quorum}; somebody else has to approve it too.`;
}

async function read(session: Session, path: string): Promise<Approval | GatewayReply> {
  const reply = await session.ask({ method: 'GET', path });
  return reply.kind === 'answer' && reply.status === 200 && isApproval(reply.body) ? reply.body : reply;
}

function print(approval: Approval, asJson: boolean, { out }: CommandContext): void {
  if (asJson) out(printableJson(approval));
  else for (const line of describeApproval(approval)) out(line);
}

function approvalPath(act: string, runId: string | undefined): string {
  if (runId === undefined) throw usageError(`'approvals ${act}' takes the id of a run; 'approvals' lists them.`);
  // It would name another path.
  if (!isRunId(runId)) throw usageError("A request is named by the whole id of its run that 'approvals' shows.");
  return `/v1/approvals/${runId}`;
}

function reasonOf(act: string, reason: string | undefined): string {
  if (reason !== undefined && reason.trim() !== '' && reason.length <= MAX_REASON) return reason;
  throw usageError(`'approvals ${act}' takes --reason with 1 to ${MAX_REASON} characters: it stands in the audit.`);
}

function itemsOf(body: unknown): readonly Approval[] | undefined {
  const items: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'approvals') : undefined;
  return Array.isArray(items) && items.every(isApproval) ? items : undefined;
}
