import { type Command, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { headOf, isOver, isRun } from './run-report.ts';
import { KEY_FILE, openSession, reportFailure, runPath } from './session.ts';

/** The whole process tree is ended, by force if need be. */
const CANCEL_MS = 30_000;

/** `cancel RUN`: ends a run that waits or goes on; what it found until then is kept. An ended one is left as it is. */
export const cancel: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, KEY_FILE);
  const [runId, ...rest] = positionals;
  if (runId === undefined) throw usageError("cancel takes the id of a run; 'runs' lists them.");
  requireNoWords(rest);
  const path = runPath(runId, '/cancel');
  const session = await openSession(context, values['key-file']);
  const reply = await session.ask({ method: 'POST', path, timeoutMs: CANCEL_MS });
  if (reply.kind !== 'answer' || reply.status >= 300 || !isRun(reply.body)) return reportFailure(reply, context);
  context.out(headOf(reply.body));
  if (!isOver(reply.body)) context.err("sallyport: its processes are being ended; 'watch' tells when");
  return EXIT.ok;
};
