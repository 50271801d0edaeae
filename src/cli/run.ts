import type { RunResult } from '../../schemas/run.ts';
import { createClient, type GatewayReply } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, usageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { findKey } from './first-key.ts';
import { findAddress } from './gateway-process.ts';
import { describeError, describeRun, printableJson } from './run-report.ts';
import { loadSettings } from './settings.ts';
import { inputFromJson, inputFromWords } from './tool-input.ts';

/** What a shell reports for a command that Ctrl-C ended. */
const INTERRUPTED = 130;

/** `run TOOL`: one run through the running gateway, under the same policy as every other caller's. */
export const run: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    input: { type: 'string' },
    timeout: { type: 'string' },
    'key-file': { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  const [tool, ...words] = positionals;
  if (tool === undefined || !/^[a-z_]{1,64}$/.test(tool)) throw usageError('run takes the name of a tool.');
  if (values.input !== undefined && words.length > 0) throw usageError('Give either --input or KEY=VALUE, not both.');
  const { config, dataDir, tools } = await loadSettings(context);
  const schema = tools.find(({ name }) => name === tool)?.input;
  const input = values.input === undefined ? inputFromWords(words, schema) : inputFromJson(values.input);
  const timeout = values.timeout === undefined ? {} : { run: { timeoutMs: parseDuration(values.timeout) } };
  const key = findKey(context, values['key-file'], dataDir);
  const address = findAddress(dataDir);
  if (address === undefined) {
    context.err("sallyport: the gateway is not running; start it with 'sallyport up'");
    return EXIT.unreachable;
  }
  const client = createClient(address, { config, root: context.root });
  const path = `/v1/tools/${tool}/runs`;
  const reply = await client({ method: 'POST', path, key, body: { input, ...timeout }, signal: context.signal });
  return report(reply, values.json, context);
};

function report(reply: GatewayReply, asJson: boolean, { out, err }: CommandContext): number {
  if (reply.kind === 'cancelled') {
    err('sallyport: cancelled; the gateway ends the run');
    return INTERRUPTED;
  }
  if (reply.kind === 'unreachable') {
    err(`sallyport: the gateway cannot be reached (${reply.reason})`);
    return EXIT.unreachable;
  }
  const isSuccess = reply.status === 200;
  if (asJson) out(printableJson(reply.body));
  else if (isSuccess) for (const line of describeRun(reply.body as RunResult)) out(line);
  else for (const line of describeError(reply.body, reply.status)) err(line);
  return isSuccess ? EXIT.ok : EXIT.failed;
}
