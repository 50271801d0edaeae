import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import type { Command, Execution } from './types.ts';

/** Longest single argument that execve(2) takes, bytes with its NUL (MAX_ARG_STRLEN). */
const MAX_ARGUMENT_BYTES = 131_072;
const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** What prlimit(1) and setpriv(1) end with when they fail or cannot execute the next program. */
const CHAIN_EXIT_CODES: ReadonlySet<number> = new Set([1, 126, 127]);

/** Why a process could not start. */
export type StartFault = NonNullable<Execution['startFault']>;

/** Why this command cannot be started, found without starting it; undefined when nothing speaks against it. */
export async function findStartFault(command: Command, uid: number | undefined): Promise<StartFault | undefined> {
  if (!RUN_ID.test(command.runId))
    return fault('EINVAL', 'the run id has characters that a directory name may not have');
  if (command.argv.some((argument) => argument.includes('\0'))) return fault('EINVAL', 'an argument holds a NUL');
  if (command.argv.some((argument) => Buffer.byteLength(argument) >= MAX_ARGUMENT_BYTES)) {
    return fault('E2BIG', 'an argument is longer than 128 KiB');
  }
  if (!command.binary.startsWith('/')) return fault('EINVAL', 'the program is not an absolute path');
  try {
    return await findProgramFault(command.binary, uid);
  } catch (error) {
    return faultOf(error);
  }
}

/** The fault in something thrown on the way to the start. */
export function faultOf(thrown: unknown): StartFault {
  const { code, message } = thrown as NodeJS.ErrnoException;
  return fault(typeof code === 'string' ? code : 'UNKNOWN', typeof message === 'string' ? message : String(thrown));
}

/** What setpriv or prlimit said when they, not the tool, ended the run; the exit codes alone cannot tell (127, 126, 1). */
export function confinementFault(exitCode: number | null, stderrStart: string): StartFault | undefined {
  // Attack: a tool that says it was never started. Only the codes and the one line that util-linux itself ends with count.
  if (exitCode === null || !CHAIN_EXIT_CODES.has(exitCode)) return undefined;
  const said = /^((?:setpriv|prlimit): [^\n]+)\n?$/.exec(stderrStart)?.[1];
  return said === undefined ? undefined : fault('CONFINEMENT', said);
}

async function findProgramFault(binary: string, uid: number | undefined): Promise<StartFault | undefined> {
  const found = await stat(binary);
  if (!found.isFile()) return fault('EACCES', 'the program is not a regular file');
  await access(binary, constants.X_OK);
  if (uid !== undefined && !(await isReachable(binary))) {
    return fault('EACCES', 'the user that tools run as may not execute the program');
  }
  const handle = await open(binary, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const start = buffer.subarray(0, bytesRead).toString('latin1');
    // Attack: execvp(3) hands a file of unknown format to /bin/sh, and a list of words becomes a script.
    if (start !== '\u007fELF' && !start.startsWith('#!')) return fault('ENOEXEC', 'neither ELF nor a #! script');
  } finally {
    await handle.close();
  }
  return undefined;
}

/** Whether others may execute the file and pass every directory above it: root's own access(2) always says yes. */
async function isReachable(binary: string): Promise<boolean> {
  for (let path = binary; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    if (((await stat(path)).mode & 0o001) === 0) return false;
  }
  return true;
}

function fault(code: string, message: string): StartFault {
  return { code, message };
}
