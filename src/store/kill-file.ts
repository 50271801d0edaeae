import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Sentinel } from '../core/kill/types.ts';
import { syncDirectory, writeNew } from './atomic-file.ts';

/** Time between two looks while nobody asks. */
const LOOK_MS = 250;

/** The sentinel file at an absolute path. */
export interface KillFile extends Sentinel {
  /** Calls back four times a second, without keeping the process alive. Returns the way to stop. */
  watch(onLook: () => void): () => void;
}

/**
 * Looks at the sentinel file. Only its name counts, whatever is behind it; a look that fails, and a directory that is
 * not there, count as present: whoever unmounts or locks the place must not lift the kill by it.
 */
export function createKillFile(path: string): KillFile {
  return {
    isPresent: () => isThere(path) || !isThere(dirname(path)),
    watch(onLook) {
      const timer = setInterval(onLook, LOOK_MS).unref();
      return () => clearInterval(timer);
    },
  };
}

/** Makes the sentinel file with a text for people; false when it was there already. Throws the system's error. */
export function writeKillFile(path: string, text: string): boolean {
  try {
    writeNew(path, text);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
  syncDirectory(dirname(path));
  return true;
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
