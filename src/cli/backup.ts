import { resolve } from 'node:path';
import { type Command, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { withStore } from './open-store.ts';

/** `backup FILE`: a consistent copy of everything durable, mode 0600, whether the gateway runs or not. */
export const backup: Command = async (context) => {
  const [file, ...rest] = parseOptions(context.args, {}).positionals;
  if (file === undefined || file === '') throw usageError('backup takes the file to write.');
  requireNoWords(rest);
  const path = resolve(context.cwd, file);
  await withStore(context, (store) => store.backup(path), { readOnly: true });
  context.out(`Backed up to ${path}. It holds the found secrets: keep it as private as the data directory.`);
  return EXIT.ok;
};
