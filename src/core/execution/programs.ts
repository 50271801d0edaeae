import { accessSync, constants } from 'node:fs';

/** Fixed directories: a PATH that someone else set must not choose the program that confines. */
export const SYSTEM_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'] as const;

/** Absolute path of a program of the system; undefined when it is not installed. */
export function findProgram(name: string, directories: readonly string[] = SYSTEM_DIRECTORIES): string | undefined {
  return directories
    .map((directory) => `${directory}/${name}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false; // not here: the next directory
      }
    });
}
