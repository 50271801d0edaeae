import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunOptions, RunResult } from '../../schemas/run.ts';
import { attendRun } from './attend.ts';
import type { GatewayReply } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, usageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { printableJson } from './printable.ts';
import { describeRun, isRun } from './run-report.ts';
import { KEY_FILE, NOT_RUNNING, openSession, reportFailure, type Session } from './session.ts';
import { inputOf } from './tool-input.ts';

/**
 * `run TOOL`: one run through the running gateway, under the same policy as every other caller's. The gateway keeps it
 * whatever becomes of this process; only Ctrl-C ends it.
 */
export const run: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    input: { type: 'string' },
    timeout: { type: 'string' },
    engagement: { type: 'string' },
    plan: { type: 'string' },
    detach: { type: 'boolean', default: false },
    quiet: { type: 'boolean', short: 'q', default: false },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [tool, ...words] = positionals;
  if (tool === undefined || !/^[a-z_]{1,64}$/.test(tool)) throw usageError('run takes the name of a tool.');
  const options = runOptions(values);
  // Ctrl-C ends the run, not the questions about it.
  const session = await openSession({ ...context, signal: new AbortController().signal }, values['key-file']);
  const schema = session.settings.tools.find(({ name }) => name === tool)?.input;
  const input = inputOf({ json: values.input, words, schema });
  const say = (): void => context.err('sallyport: it will be cancelled as soon as its id is known');
  context.signal.addEventListener('abort', say);
  const reply = await start(session, `/v1/tools/${tool}/runs`, { input, ...options });
  context.signal.removeEventListener('abort', say);
  const { detach, json: asJson, quiet: isQuiet } = values;
  if (reply.kind !== 'answer' || reply.status !== 202 || !isRun(reply.body)) return report(reply, asJson, context);
  const started = reply.body;
  if (detach) {
    context.out(asJson ? printableJson(started) : started.runId);
    return EXIT.ok;
  }
  if (!isQuiet) context.err(`sallyport: run ${started.runId}`);
  return attendRun(context, session, { run: started, isQuiet, asJson });
};

interface RunValues {
  readonly timeout?: string | undefined;
  readonly engagement?: string | undefined;
  readonly plan?: string | undefined;
}

/** How to run it, where something was said of that. */
function runOptions({ timeout, engagement, plan }: RunValues): { run?: RunOptions } {
  const run: RunOptions = {
    ...(engagement === undefined ? {} : { engagement }),
    ...(plan === undefined ? {} : { planId: plan }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
  };
  return Object.keys(run).length === 0 ? {} : { run };
}

/** Planning resolves names and writes the run down; longer than this nobody waits for it. */
const START_MS = 60_000;
const AGAIN_MS = 500;

/**
 * Asks for the run without waiting for its end. Ctrl-C does not break this off: a run whose id is not known could not be
 * cancelled. An answer that got lost is asked for once more under the same name (Idempotency-Key), so that there is
 * never a second run.
 */
async function start(session: Session, path: string, body: unknown): Promise<GatewayReply> {
  const headers = { prefer: 'respond-async', 'idempotency-key': `"${randomUUID()}"` };
  const question = { method: 'POST', path, body, headers, timeoutMs: START_MS } as const;
  const reply = await session.ask(question);
  if (reply.kind !== 'unreachable' || reply === NOT_RUNNING) return reply;
  await delay(AGAIN_MS);
  return session.ask(question);
}

/** A refusal, or a run that had ended before the gateway answered. */
function report(reply: GatewayReply, asJson: boolean, context: CommandContext): number {
  const isSuccess = reply.kind === 'answer' && reply.status === 200;
  if (reply.kind === 'answer' && asJson) context.out(printableJson(reply.body));
  else if (isSuccess) for (const line of describeRun(reply.body as RunResult)) context.out(line);
  else return reportFailure(reply, context);
  return isSuccess ? EXIT.ok : EXIT.failed;
}
