import type { LockHolder } from '../../schemas/stored.ts';
import { createClient } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords } from './command.ts';
import { findAddress, findGateway } from './gateway-process.ts';
import { askHealth } from './health-question.ts';
import { describeHealth } from './health-report.ts';
import { describeConfiguration, findCertificate } from './running-configuration.ts';
import { findDataDir } from './settings.ts';

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
  for (const line of await describeConfiguration(gateway, context)) context.out(line);
  if (address === undefined) return EXIT.unreachable;
  return showHealth(context, { gateway, address, dataDir, keyFile: values['key-file'] });
};

interface Place {
  readonly gateway: LockHolder;
  readonly address: string;
  readonly dataDir: string;
  readonly keyFile: string | undefined;
}

async function showHealth(context: CommandContext, place: Place): Promise<number> {
  const certFile = await findCertificate(place.gateway, context);
  if (certFile === '' && place.address.startsWith('https:')) {
    context.err(
      'sallyport: its health was not asked: tls.certFile, which tells it from an impostor, is not known here',
    );
    return EXIT.failed;
  }
  const client = createClient(place.address, { config: { tls: { certFile } }, root: context.root });
  const { reply, refused } = await askHealth(client, context, place);
  if (refused !== undefined) context.err(`sallyport: ${refused}`);
  if (reply.kind !== 'answer') {
    context.err(`sallyport: it does not answer${reply.kind === 'unreachable' ? ` (${reply.reason})` : ''}`);
    return EXIT.unreachable;
  }
  const report = describeHealth(reply.body);
  for (const line of report.lines) context.out(line);
  return report.isUnhealthy ? EXIT.failed : EXIT.ok;
}
