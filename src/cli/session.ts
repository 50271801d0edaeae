import type { Run } from '../../schemas/run-record.ts';
import { createClient, type GatewayReply, type GatewayRequest, type GatewayStream } from './client.ts';
import { type CommandContext, EXIT, usageError } from './command.ts';
import { findKey } from './first-key.ts';
import { findAddress } from './gateway-process.ts';
import { printable } from './printable.ts';
import { describeError, isRun, isRunId } from './run-report.ts';
import { loadSettings, type Settings } from './settings.ts';

/** What a shell reports for a command that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** The option of every verb that talks to the gateway with a key. */
export const KEY_FILE = { 'key-file': { type: 'string' } } as const;

/** A request of the caller whose key the session knows. */
export type Question = Omit<GatewayRequest, 'key'>;

/** One caller's way to the gateway of the data directory. Ctrl-C breaks off a question that has no signal of its own. */
export interface Session {
  readonly settings: Settings;
  /** Aborted at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly ask: (question: Question) => Promise<GatewayReply>;
  /** Opens an answer that is read bit by bit. */
  readonly open: (question: Question) => Promise<GatewayStream | GatewayReply>;
}

/** Reads the configuration and the caller's key; nothing is asked yet. Throws `usageError` for an unreadable key file. */
export async function openSession(context: CommandContext, keyFile: string | undefined): Promise<Session> {
  const settings = await loadSettings(context);
  const key = findKey(context, keyFile, settings.dataDir);
  // Looked up before each request: whoever listens at the address of a gateway that died since gets no key.
  const client = () => {
    const address = findAddress(settings.dataDir);
    return address === undefined ? undefined : createClient(address, { config: settings.config, root: context.root });
  };
  const { signal } = context;
  return {
    settings,
    signal,
    ask: async (question) => (await client()?.({ signal, ...question, key })) ?? NOT_RUNNING,
    open: async (question) => (await client()?.open({ signal, ...question, key })) ?? NOT_RUNNING,
  };
}

/** The reply when no gateway holds the data directory. */
export const NOT_RUNNING: GatewayReply = {
  kind: 'unreachable',
  reason: "the gateway is not running; start it with 'sallyport up'",
};

/** Says why a request brought nothing, and resolves to the exit code. */
export function reportFailure(reply: GatewayReply, { err }: Pick<CommandContext, 'err'>): number {
  if (reply.kind === 'cancelled') return INTERRUPTED;
  if (reply.kind === 'unreachable') {
    const isKnown = reply === NOT_RUNNING;
    err(`sallyport: ${isKnown ? reply.reason : `the gateway cannot be reached (${printable(reply.reason)})`}`);
    return EXIT.unreachable;
  }
  for (const line of describeError(reply.body, reply.status)) err(line);
  return EXIT.failed;
}

/** The path of a run. Throws `usageError` for what cannot be an id: it would name another path. */
export function runPath(runId: string, rest = ''): string {
  if (!isRunId(runId)) throw usageError("A run is named by the whole id that 'runs' shows.");
  return `/v1/runs/${runId}${rest}`;
}

/** The record of a run, or what came instead. */
export async function readRun(session: Session, runId: string): Promise<Run | GatewayReply> {
  const reply = await session.ask({ method: 'GET', path: runPath(runId) });
  return reply.kind === 'answer' && reply.status === 200 && isRun(reply.body) ? reply.body : reply;
}

/** Tells a record from a reply that is none. */
export function isRecord(read: Run | GatewayReply): read is Run {
  return 'runId' in read;
}
