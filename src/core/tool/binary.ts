import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Where programs are looked for: fixed, because a PATH from the environment could name anything. */
export const BINARY_DIRECTORIES = [
  '/usr/bin',
  '/usr/sbin',
  '/bin',
  '/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
] as const;

/** Either the real path of a program, or one sentence that says why there is none. */
export type Located = { readonly path: string } | { readonly fault: string };

/**
 * Looks a bare program name up in the directories, in order, and returns its real path. The first file of that name
 * decides: when it may not be trusted, no later one is taken instead.
 */
export async function locateBinary(name: string, directories: readonly string[]): Promise<Located> {
  for (const directory of directories) {
    const path = await realpath(join(directory, name)).catch(() => undefined);
    if (path === undefined) continue;
    const facts = await stat(path);
    if (!facts.isFile() || (facts.mode & 0o111) === 0) return { fault: `${path} is not an executable file` };
    return (await trustFault(path)) ?? { path };
  }
  return { fault: `${name} was not found in ${directories.join(', ')}` };
}

/** Checks that another file a tool needs is there and may be trusted; undefined when it is. */
export async function requirementFault(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return `${path} is missing`;
  return (await trustFault(real))?.fault;
}

async function trustFault(path: string): Promise<{ fault: string } | undefined> {
  // Whoever may write the file, or swap it in its directory, decides what the gateway runs (CWE-732, CWE-426).
  for (const place of [path, dirname(path)]) {
    if (((await stat(place)).mode & 0o002) !== 0) return { fault: `${place} is writable by everybody` };
  }
  return undefined;
}
