import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KILL } from '../../schemas/config-policy.ts';
import type { KillBody, KillEntry, KillReport, KillState } from '../../schemas/kill.ts';
import { writeKillFile } from '../store/kill-file.ts';
import type { GatewayReply } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { dataDirFault } from './environment-check.ts';
import { oneLine, printableJson } from './printable.ts';
import { KEY_FILE, NOT_RUNNING, openSession, reportFailure, type Session } from './session.ts';
import { configFaults, guessDataDir } from './settings.ts';

/** Longer than the ends of the runs may take. */
const KILL_MS = 45_000;

/** Where nothing else is known: the configuration that names another file cannot be read. */
const DEFAULT_FILE = String(KILL.properties['file']?.['default']);

const OPTIONS = {
  ...KEY_FILE,
  engagement: { type: 'string' },
  reason: { type: 'string' },
  lift: { type: 'boolean' },
  state: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

interface Asked {
  readonly body: KillBody;
  readonly json: boolean;
}

/**
 * `kill [--engagement E] --reason R`, `kill --lift …`, `kill --state`. A kill that no gateway takes is left as the
 * sentinel file, which the next look or the next start of a gateway finds.
 */
export const kill: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, OPTIONS);
  requireNoWords(positionals);
  const { engagement, reason, lift = false, state = false, json = false, 'key-file': keyFile } = values;
  if (lift && state) throw usageError('--lift and --state exclude each other.');
  if (state) return showState(context, await openSession(context, keyFile), json);
  if (reason === undefined || reason.trim() === '') throw usageError('Say why: --reason "…"; it is recorded.');
  const asked = { body: { reason, ...(engagement === undefined ? {} : { engagement }) }, json };
  if (lift) return liftIt(context, await openSession(context, keyFile), asked);
  return pullIt(context, keyFile, asked);
};

async function showState(context: CommandContext, session: Session, json: boolean): Promise<number> {
  return showSwitches(context, await session.ask({ method: 'GET', path: '/v1/kill' }), json);
}

async function liftIt(context: CommandContext, session: Session, { body, json }: Asked): Promise<number> {
  const reply = await session.ask({ method: 'POST', path: '/v1/kill/lift', body, timeoutMs: KILL_MS });
  const code = showSwitches(context, reply, json);
  if (codeOf(reply) === 'ERR_KILL_SWITCH') context.err(`The file is ${oneLine(fileOf(session))}`);
  return code;
}

function showSwitches(context: CommandContext, reply: GatewayReply, json: boolean): number {
  if (reply.kind !== 'answer' || reply.status !== 200 || !isState(reply.body)) {
    return reportFailure(reply, context);
  }
  if (json) context.out(printableJson(reply.body));
  else for (const line of describe(reply.body.switches)) context.out(line);
  return EXIT.ok;
}

async function pullIt(context: CommandContext, keyFile: string | undefined, asked: Asked): Promise<number> {
  let session: Session;
  try {
    session = await openSession(context, keyFile);
  } catch (thrown) {
    // Whoever broke the configuration must still be able to stop everything.
    if (configFaults(thrown) === undefined) throw thrown;
    context.err("sallyport: the configuration is at fault (see 'validate')");
    return leaveFile(context, {
      asked,
      path: join(guessDataDir(context), DEFAULT_FILE),
      isRunning: true,
    });
  }
  const reply = await session.ask({ method: 'POST', path: '/v1/kill', body: asked.body, timeoutMs: KILL_MS });
  if (reply.kind === 'answer' && reply.status === 200 && isReport(reply.body)) {
    return showReport(context, reply.body, asked.json);
  }
  const code = reply === NOT_RUNNING ? EXIT.ok : reportFailure(reply, context);
  if (!isLost(reply)) return code;
  return leaveFile(context, { asked, path: fileOf(session), isRunning: reply !== NOT_RUNNING });
}

/** Not taken, or not kept, by a gateway that is not there, hangs, is overloaded, flooded from this address, or broken. */
function isLost(reply: GatewayReply): boolean {
  return reply.kind !== 'answer' || reply.status === 429 || reply.status >= 500 || reply.status === 200;
}

function showReport(context: CommandContext, report: KillReport, json: boolean): number {
  if (json) context.out(printableJson(report));
  else {
    context.out(`Killed: ${report.endedRuns} run(s) ended, ${report.survivors} process(es) left.`);
    for (const line of describe(report.switches)) context.out(line);
  }
  if (report.survivors === 0) return EXIT.ok;
  context.err('sallyport: processes of ended runs are still there; docs/runbook.md says what to do');
  return EXIT.failed;
}

interface Leaving {
  readonly asked: Asked;
  readonly path: string;
  readonly isRunning: boolean;
}

function leaveFile(context: CommandContext, { asked, path, isRunning }: Leaving): number {
  const { reason, engagement } = asked.body;
  const place = oneLine(path);
  try {
    makeFile(path, `${oneLine(reason)}\nleft by uid ${process.geteuid?.()} at ${new Date().toISOString()}\n`);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    context.err(`sallyport: the sentinel file ${place} cannot be made: ${oneLine(why)}`);
    return EXIT.failed;
  }
  context.out(
    `The sentinel file ${place} is there: while it is, nothing runs, also after a start. Remove it to lift that.`,
  );
  if (engagement !== undefined)
    context.err('sallyport: it kills everything: one engagement takes a gateway that answers');
  if (!isRunning) return EXIT.ok;
  context.err("sallyport: if the gateway hangs, its runs go on until 'sallyport stop' ends it");
  return EXIT.unreachable;
}

function makeFile(path: string, text: string): void {
  const dataDir = join(path, '..');
  // Made by another user it would be a directory that the gateway refuses.
  const fault = dataDirFault(dataDir);
  if (fault !== undefined) throw new Error(fault);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeKillFile(path, text);
}

function fileOf({ settings: { config, dataDir } }: Session): string {
  return join(dataDir, config.kill.file);
}

function codeOf(reply: GatewayReply): unknown {
  return reply.kind === 'answer' ? (reply.body as { code?: unknown } | null)?.code : undefined;
}

function describe(switches: readonly KillEntry[]): readonly string[] {
  if (switches.length === 0) return ['No kill switch is on.'];
  return switches.map(({ engagement, since, by, reason }) =>
    oneLine(`On for ${engagement ?? 'everything'} since ${since} by ${by}: ${reason}`),
  );
}

/** As far as it is shown here: the gateway may be of another version. */
function isState(body: unknown): body is KillState {
  if (typeof body !== 'object' || body === null) return false;
  const { active, switches } = body as Partial<Record<keyof KillState, unknown>>;
  return typeof active === 'boolean' && Array.isArray(switches) && switches.every((each) => typeof each === 'object');
}

function isReport(body: unknown): body is KillReport {
  if (!isState(body) || !body.active) return false;
  const { endedRuns, survivors } = body as Partial<Record<keyof KillReport, unknown>>;
  return Number.isSafeInteger(endedRuns) && Number.isSafeInteger(survivors);
}
