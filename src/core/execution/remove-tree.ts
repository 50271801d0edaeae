import { randomBytes } from 'node:crypto';
import { renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type HeldDirectory, holdDirectory } from './directory.ts';

/** Entries handled between two turns of the event loop. */
const BATCH = 256;

/**
 * Removes a directory and what is in it, whatever a hostile tool left there: never follows a symbolic link, needs no
 * permission of the entries, one level of nesting and two descriptors at a time. False when something stayed, also
 * because `isLate` said to stop.
 */
export async function removeTree(path: Buffer | string, isLate = () => false): Promise<boolean> {
  let top: HeldDirectory;
  try {
    top = holdDirectory(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  try {
    await empty({ top, isLate }, top);
    rmdirSync(path);
    return true;
  } catch {
    return false; // the caller reports it, the next start tries again
  } finally {
    top.close();
  }
}

interface Removal {
  readonly top: HeldDirectory;
  readonly isLate: () => boolean;
}

/** Empties `directory`; its subdirectories are moved up into the top, so that depth never becomes recursion. */
async function empty(removal: Removal, directory: HeldDirectory): Promise<void> {
  const { top } = removal;
  directory.unlock();
  for (;;) {
    const entries = directory.list(BATCH);
    if (entries.length === 0) return;
    if (removal.isLate()) throw new Error('out of time');
    for (const entry of entries) {
      if (!entry.isDirectory()) unlinkSync(directory.entry(entry.name));
      else if (directory === top) await removeBranch(removal, entry.name);
      else moveUp(directory, top, entry.name);
    }
    await nextTurn();
  }
}

async function removeBranch(removal: Removal, name: Buffer): Promise<void> {
  const { top } = removal;
  const branch = holdDirectory(top.entry(name));
  try {
    await empty(removal, branch);
  } finally {
    branch.close();
  }
  rmdirSync(top.entry(name));
}

function moveUp(from: HeldDirectory, top: HeldDirectory, name: Buffer): void {
  const path = from.entry(name);
  const child = holdDirectory(path);
  // Moving a directory changes its "..", so rename(2) asks for write permission on the directory itself.
  child.unlock();
  child.close();
  renameSync(path, top.entry(`moved-${randomBytes(12).toString('hex')}`));
}
