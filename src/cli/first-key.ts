import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type CommandContext, usageError } from './command.ts';
import { DATA_FILES, readIfThere } from './gateway-process.ts';

/** The key that the first start wrote; undefined when the operator took the file away. */
export function readFirstKey(dataDir: string): string | undefined {
  return readIfThere(join(dataDir, DATA_FILES.firstKey))?.trim() || undefined;
}

/** The caller's key: `--key-file`, else SALLYPORT_KEY_FILE, else the first key. Never an argument: those show in `ps`. */
export function findKey(context: CommandContext, keyFile: string | undefined, dataDir: string): string | undefined {
  const named = keyFile ?? (context.environment['SALLYPORT_KEY_FILE'] || undefined);
  if (named === undefined) return readFirstKey(dataDir);
  const path = resolve(context.cwd, named);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (thrown) {
    throw usageError(`The key file ${path} cannot be read (${(thrown as NodeJS.ErrnoException).code}).`);
  }
}
