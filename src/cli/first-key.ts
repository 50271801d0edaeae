import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hashKey, unusable } from '../core/auth/keys.ts';
import { systemClock } from '../core/clock.ts';
import { storePath } from '../store/store-file.ts';
import { openStore } from '../store/store.ts';
import { type CommandContext, usageError } from './command.ts';
import { DATA_FILES, readIfThere } from './gateway-process.ts';

/** The key that the first start wrote; undefined when the operator took the file away. */
export function readFirstKey(dataDir: string): string | undefined {
  return readIfThere(join(dataDir, DATA_FILES.firstKey))?.trim() || undefined;
}

/** The first key while the gateway accepts it: a revoked or expired one is of no use to whoever pastes it. */
export async function usableFirstKey(dataDir: string): Promise<string | undefined> {
  const key = readFirstKey(dataDir);
  if (key === undefined || !existsSync(storePath(dataDir))) return undefined;
  const hash = hashKey(key);
  const store = await openStore(dataDir, { readOnly: true });
  try {
    const record = (await store.keys.list()).find((each) => each.hash === hash);
    return record !== undefined && unusable(record, systemClock) === undefined ? key : undefined;
  } finally {
    await store.close();
  }
}

/** The caller's key: `--key-file`, else SALLYPORT_KEY_FILE, else the first key. Never an argument: those show in `ps`. */
export function findKey(context: CommandContext, keyFile: string | undefined, dataDir: string): string | undefined {
  const path = namedFile(context, keyFile);
  if (path === undefined) return readFirstKey(dataDir);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (thrown) {
    throw usageError(`The key file ${path} cannot be read (${(thrown as NodeJS.ErrnoException).code}).`);
  }
}

/** The file that `findKey` reads. */
export function nameKeySource(context: CommandContext, keyFile: string | undefined, dataDir: string): string {
  return namedFile(context, keyFile) ?? join(dataDir, DATA_FILES.firstKey);
}

function namedFile(context: CommandContext, keyFile: string | undefined): string | undefined {
  const named = keyFile ?? (context.environment['SALLYPORT_KEY_FILE'] || undefined);
  return named === undefined ? undefined : resolve(context.cwd, named);
}
