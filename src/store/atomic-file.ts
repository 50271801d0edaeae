import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SallyportError } from '../core/errors.ts';

/** Replaces a file durably: readers see the old content or the new one, never a part. Throws ERR_STORE_UNAVAILABLE. */
export function writeAtomic(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    writeNew(temporary, text);
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The data directory cannot be written.', { cause });
  }
}

/** Creates a file of mode 0600 and makes it durable. Throws the system's error; EEXIST when the name is taken. */
export function writeNew(path: string, text: string): void {
  // `wx` (O_EXCL): a link planted under this name is not followed. The mode is set at creation, so there is no moment
  // in which others can open it.
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes renames and removals in a directory durable. */
export function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
