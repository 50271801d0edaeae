import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords } from './command.ts';
import { findAddress, findGateway } from './gateway-process.ts';
import { portFault } from './port-check.ts';
import { environmentDifferences } from './running-configuration.ts';
import { loadSettings, type Settings } from './settings.ts';
import { stop } from './stop.ts';
import { up } from './up.ts';

/** `restart`: checks the configuration first, so that a fault does not leave nothing running; then `stop` and `up`. */
export const restart: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const settings = await loadSettings(context);
  if (!mayReplace(context, settings)) return EXIT.failed;
  const stopped = await stop(context);
  return stopped === EXIT.ok ? up(context) : stopped;
};

function mayReplace({ environment, err }: CommandContext, { config, dataDir }: Settings): boolean {
  const gateway = findGateway(dataDir);
  if (gateway === undefined) return true;
  // A shell that lacks the gateway's SALLYPORT_CONFIG would bring it back with the default, wider scope.
  const differences = environmentDifferences(gateway, environment);
  if (differences.length > 0) {
    err(`sallyport: process ${gateway.pid} was started with other variables than this shell has; nothing was done:`);
    for (const each of differences) err(`  - ${each}`);
    err("Set them as they were, or take this shell's with 'sallyport stop' and then 'sallyport up'.");
    return false;
  }
  const isSamePort = new RegExp(`:${config.port}/?$`).test(findAddress(dataDir) ?? '');
  const fault = isSamePort ? undefined : portFault(config.host, config.port);
  if (fault !== undefined) err(`sallyport: port: ${fault}; the gateway goes on as it is`);
  return fault === undefined;
}
