import { signalProcess } from '../core/execution/signal.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords } from './command.ts';
import { findGateway, isRunning, waitUntil } from './gateway-process.ts';
import { findDataDir, loadSettings } from './settings.ts';

/** What an orderly end may take beyond the configured grace: ending tool processes, closing the store. */
const MARGIN_MS = 10_000;
const KILL_MS = 5000;

/** `stop`: ends the gateway of the data directory in order, and by force when it does not end in time. */
export const stop: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const dataDir = await findDataDir(context);
  const gateway = findGateway(dataDir);
  if (gateway === undefined) {
    context.out('The gateway is not running.');
    return EXIT.ok;
  }
  const isGone = (): boolean => !isRunning(gateway);
  if (!signalProcess(gateway.pid, 'SIGTERM') && !isGone()) {
    context.err(`sallyport: process ${gateway.pid} belongs to another user; stop it as that user or as root`);
    return EXIT.failed;
  }
  if (await waitUntil(isGone, (await graceMs(context)) + MARGIN_MS)) {
    context.out(`Stopped (process ${gateway.pid}).`);
    return EXIT.ok;
  }
  if (!isGone()) signalProcess(gateway.pid, 'SIGKILL');
  const isKilled = await waitUntil(isGone, KILL_MS);
  context.err(
    `sallyport: process ${gateway.pid} did not end in time ${isKilled ? 'and was killed' : 'and cannot be killed'}`,
  );
  return EXIT.failed;
};

async function graceMs(context: CommandContext): Promise<number> {
  // A configuration that was broken since the start must not keep the gateway running.
  const settings = await loadSettings(context).catch(() => undefined);
  return settings?.config.shutdownGraceMs ?? 300_000;
}
