import { createClient } from './client.ts';
import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';
import { findKey } from './first-key.ts';
import { findAddress, findGateway } from './gateway-process.ts';
import { describeHealth } from './health-report.ts';
import { findDataDir, loadSettings } from './settings.ts';

/** `status`: whether the gateway runs, where, and how well. Exit code 3 when it does not run or does not answer. */
export const status: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, { 'key-file': { type: 'string' } });
  requireNoWords(positionals);
  const dataDir = await findDataDir(context);
  const gateway = findGateway(dataDir);
  if (gateway === undefined) {
    context.out('The gateway is not running.');
    return EXIT.unreachable;
  }
  const address = findAddress(dataDir);
  context.out(`The gateway runs as process ${gateway.pid} at ${address ?? 'no address yet'}, data in ${dataDir}.`);
  if (address === undefined) return EXIT.unreachable;
  const { config } = await loadSettings(context);
  const client = createClient(address, { config, root: context.root });
  const reply = await client({ method: 'GET', path: '/health', key: findKey(context, values['key-file'], dataDir) });
  if (reply.kind !== 'answer') {
    context.err(`sallyport: it does not answer${reply.kind === 'unreachable' ? ` (${reply.reason})` : ''}`);
    return EXIT.unreachable;
  }
  const report = describeHealth(reply.body);
  for (const line of report.lines) context.out(line);
  return report.isUnhealthy ? EXIT.failed : EXIT.ok;
};
