import { randomBytes } from 'node:crypto';
import { mkdirSync, realpathSync, rmSync, type Stats, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SallyportError } from '../core/errors.ts';
import { writeAtomic } from './atomic-file.ts';
import { acquireLock } from './lock-file.ts';

/** The gateway's durable directory, held by this process alone. */
export interface DataDir {
  /** Real, absolute path. */
  readonly path: string;
  /** Writes the address in use to `<path>/address`, for the command line. Throws ERR_STORE_UNAVAILABLE. */
  writeAddress(address: string): void;
  removeAddress(): void;
  /** Writes, syncs and removes a small file. Throws ERR_STORE_UNAVAILABLE. */
  probe(): Promise<void>;
  /** Removes the address and gives the lock back. */
  close(): void;
}

/**
 * Opens the data directory, making it with mode 0700 when it is not there, and takes its lock (`<path>/pid`).
 * Throws ERR_STORE_UNAVAILABLE when it is not ours alone to write, or when another process has it.
 */
export async function openDataDir(given: string): Promise<DataDir> {
  const path = prepare(given);
  const lock = await acquireLock(join(path, 'pid'), { waitMs: 0, what: `The data directory ${path}` });
  const address = join(path, 'address');
  const removeAddress = (): void => rmSync(address, { force: true });
  // Left over by a process that was killed: nobody may take it for a running gateway.
  removeAddress();
  return {
    path,
    writeAddress: (url) => writeAtomic(address, `${url}\n`),
    removeAddress,
    probe: () => probe(path),
    close: () => {
      removeAddress();
      lock.release();
    },
  };
}

function prepare(given: string): string {
  let path: string;
  let stats: Stats;
  try {
    mkdirSync(given, { recursive: true, mode: 0o700 });
    path = realpathSync(given);
    stats = statSync(path);
  } catch (cause) {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', `The data directory ${given} cannot be used.`, { cause });
  }
  if (!stats.isDirectory()) refuse(given, 'is not a directory');
  // Whoever owns or may write the directory can replace the key file by one of their own.
  if (stats.uid !== process.geteuid?.()) refuse(given, 'belongs to another user');
  if ((stats.mode & 0o022) !== 0) refuse(given, `can be written by others; chmod 700 ${given}`);
  return path;
}

function refuse(path: string, why: string): never {
  throw new SallyportError('ERR_STORE_UNAVAILABLE', `The data directory ${path} ${why}.`);
}

async function probe(directory: string): Promise<void> {
  const path = join(directory, `.probe-${randomBytes(6).toString('hex')}`);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile('probe');
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The data directory cannot be written.', { cause });
  } finally {
    await rm(path, { force: true });
  }
}
