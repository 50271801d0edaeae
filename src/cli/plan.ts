import type { PlanView } from '../../schemas/plan.ts';
import { type Command, EXIT, parseOptions, usageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { describePlan, isPlan } from './plan-report.ts';
import { printableJson } from './printable.ts';
import { KEY_FILE, openSession, reportFailure } from './session.ts';
import { inputOf } from './tool-input.ts';

/** Names are resolved for it; longer than this nobody waits. */
const PLAN_MS = 60_000;

/** `plan TOOL`: what would run and why it may or may not. Nothing runs. Exit code 1 for what is refused. */
export const plan: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    input: { type: 'string' },
    engagement: { type: 'string' },
    timeout: { type: 'string' },
    json: { type: 'boolean', default: false },
    ...KEY_FILE,
  });
  const [tool, ...words] = positionals;
  if (tool === undefined || !/^[a-z_]{1,64}$/.test(tool)) throw usageError('plan takes the name of a tool.');
  const { engagement, timeout } = values;
  const run = {
    ...(engagement === undefined ? {} : { engagement }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
  };
  const session = await openSession(context, values['key-file']);
  const schema = session.settings.tools.find(({ name }) => name === tool)?.input;
  const input = inputOf({ json: values.input, words, schema });
  const body = { input, ...(Object.keys(run).length === 0 ? {} : { run }) };
  const reply = await session.ask({ method: 'POST', path: `/v1/tools/${tool}/plan`, body, timeoutMs: PLAN_MS });
  if (reply.kind !== 'answer' || reply.status !== 200 || !isPlan(reply.body)) return reportFailure(reply, context);
  const made: PlanView = reply.body;
  if (values.json) context.out(printableJson(made));
  else for (const line of describePlan(made)) context.out(line);
  return made.decision === 'refused' ? EXIT.failed : EXIT.ok;
};
