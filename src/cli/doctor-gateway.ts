import { createClient } from './client.ts';
import type { CommandContext } from './command.ts';
import { type Finding, missing, note, ok } from './doctor-finding.ts';
import { findAddress, findGateway } from './gateway-process.ts';
import { askHealth } from './health-question.ts';
import { describeHealth } from './health-report.ts';
import type { Settings } from './settings.ts';

/** How the running gateway is, in its own words. */
export async function* gatewayFindings(context: CommandContext, settings: Settings): AsyncGenerator<Finding> {
  const { config, dataDir } = settings;
  const gateway = findGateway(dataDir);
  const address = findAddress(dataDir);
  if (gateway === undefined || address === undefined) {
    yield note('the gateway is not running');
    return;
  }
  const client = createClient(address, { config, root: context.root });
  const { reply, refused } = await askHealth(client, context, { keyFile: undefined, dataDir });
  if (reply.kind !== 'answer') {
    yield missing(`the gateway (process ${gateway.pid}) does not answer at ${address}`);
    return;
  }
  const report = describeHealth(reply.body);
  yield (report.isUnhealthy ? missing : ok)(`the gateway runs at ${address} (process ${gateway.pid})`);
  if (refused !== undefined) yield note(refused);
  for (const line of report.lines) yield note(line);
}
