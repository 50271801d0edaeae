import { requireSound } from '../gateway/configuration-faults.ts';
import { type Command, EXIT, parseOptions, requireNoWords } from './command.ts';
import { stop } from './stop.ts';
import { up } from './up.ts';
import { loadSettings } from './settings.ts';

/** `restart`: checks the configuration first, so that a fault does not leave nothing running; then `stop` and `up`. */
export const restart: Command = async (context) => {
  requireNoWords(parseOptions(context.args, {}).positionals);
  const { config, tools } = await loadSettings(context);
  requireSound(config, tools);
  const stopped = await stop(context);
  return stopped === EXIT.ok ? up(context) : stopped;
};
