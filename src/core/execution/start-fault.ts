import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { access } from 'node:fs/promises';
import type { ErrorCode } from '../errors.ts';
import type { Command, Execution } from './types.ts';

/** Longest single argument that execve(2) takes, bytes with its NUL (MAX_ARG_STRLEN). */
const MAX_ARGUMENT_BYTES = 131_072;
const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** What prlimit(1) and setpriv(1) end with when they fail or cannot execute the next program. */
const CHAIN_EXIT_CODES: ReadonlySet<number> = new Set([1, 126, 127]);

/** Why a process could not start. */
export type StartFault = NonNullable<Execution['startFault']>;

/** Codes that say: the confinement could not be set up, whatever tool it was for; each with its public error. */
export const CONFINEMENT_ERRORS = {
  CONFINEMENT: 'ERR_EXEC_CONFINEMENT',
  HELPER_MISSING: 'ERR_EXEC_HELPER_MISSING',
  KERNEL_UNSUPPORTED: 'ERR_EXEC_KERNEL_UNSUPPORTED',
  SYSCALL_DENIED: 'ERR_EXEC_SYSCALL_DENIED',
  ENOSPC: 'ERR_EXEC_DISK_FULL',
  EDQUOT: 'ERR_EXEC_DISK_FULL',
  EMFILE: 'ERR_EXEC_DESCRIPTORS',
  ENFILE: 'ERR_EXEC_DESCRIPTORS',
  EAGAIN: 'ERR_EXEC_PROCESSES',
} as const satisfies Record<string, ErrorCode>;

/** Public codes of a confinement that could not be set up. */
export type ConfinementError = (typeof CONFINEMENT_ERRORS)[keyof typeof CONFINEMENT_ERRORS];

/** The public code where a run did not start because of the confinement or the machine, not because of its tool. */
export function confinementErrorOf({ code }: StartFault): ConfinementError | undefined {
  return Object.hasOwn(CONFINEMENT_ERRORS, code)
    ? CONFINEMENT_ERRORS[code as keyof typeof CONFINEMENT_ERRORS]
    : undefined;
}

/** Why this command cannot be started, found without starting it; undefined when nothing speaks against it. */
export function findStartFault(command: Command): StartFault | undefined {
  if (!RUN_ID.test(command.runId))
    return fault('EINVAL', 'the run id has characters that a directory name may not have');
  if (command.argv.some((argument) => argument.includes('\0'))) return fault('EINVAL', 'an argument holds a NUL');
  if (command.argv.some((argument) => Buffer.byteLength(argument) >= MAX_ARGUMENT_BYTES)) {
    return fault('E2BIG', 'an argument is longer than 128 KiB');
  }
  if (!command.binary.startsWith('/')) return fault('EINVAL', 'the program is not an absolute path');
  try {
    return findProgramFault(command.binary);
  } catch (error) {
    return faultOf(error);
  }
}

/** The fault in something thrown on the way to the start. */
export function faultOf(thrown: unknown): StartFault {
  const { code, message } = thrown as NodeJS.ErrnoException;
  return fault(typeof code === 'string' ? code : 'UNKNOWN', typeof message === 'string' ? message : String(thrown));
}

/** What setpriv, prlimit or bwrap said when they, not the tool, ended the run; the exit codes alone cannot tell (127, 126, 1). */
export function confinementFault(exitCode: number | null, stderrStart: string): StartFault | undefined {
  // Attack: a tool that says it was never started. Only the codes and the one line that these programs end with count.
  if (exitCode === null || !CHAIN_EXIT_CODES.has(exitCode)) return undefined;
  const said = /^((?:setpriv|prlimit|bwrap): [^\n]+)\n?$/.exec(stderrStart)?.[1];
  return said === undefined ? undefined : fault(saidCode(said), said);
}

/** The chain ended before its last program: what it said, for the log. */
export function chainFault(stderrStart: string): StartFault {
  const said = stderrStart.split('\n')[0] ?? '';
  return fault(saidCode(said), `the chain ended before the program: ${said}`);
}

/** The same fault, or which program of the chain has gone since the start, where that is the reason. */
export async function withMissingHelper(found: StartFault, helpers: readonly string[]): Promise<StartFault> {
  if (found.code !== 'CONFINEMENT' && found.code !== 'SYSCALL_DENIED') return found;
  for (const helper of helpers) {
    try {
      await access(helper, constants.X_OK);
    } catch (error) {
      return fault('HELPER_MISSING', `${helper} cannot be executed any more (${faultOf(error).code})`);
    }
  }
  return found;
}

/** Ends of what programs of the chain print, by strerror(3) in the C locale. */
const SAID: readonly (readonly [ending: string, code: keyof typeof CONFINEMENT_ERRORS])[] = [
  ['Function not implemented', 'KERNEL_UNSUPPORTED'],
  ['Operation not supported', 'KERNEL_UNSUPPORTED'],
  ['Operation not permitted', 'SYSCALL_DENIED'],
  ['Permission denied', 'SYSCALL_DENIED'],
  ['Too many open files', 'EMFILE'],
  ['Too many open files in system', 'ENFILE'],
  ['Resource temporarily unavailable', 'EAGAIN'],
];

function saidCode(said: string): string {
  return SAID.find(([ending]) => said.endsWith(`: ${ending}`))?.[1] ?? 'CONFINEMENT';
}

/** In our own thread: spawn(2) waits there for execve(2) of the same file anyway, and five trips cost more than they. */
function findProgramFault(binary: string): StartFault | undefined {
  if (!statSync(binary).isFile()) return fault('EACCES', 'the program is not a regular file');
  accessSync(binary, constants.X_OK);
  const descriptor = openSync(binary, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(4);
    const start = buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
    // Attack: execvp(3) hands a file of unknown format to /bin/sh, and a list of words becomes a script.
    if (start !== '\u007fELF' && !start.startsWith('#!')) return fault('ENOEXEC', 'neither ELF nor a #! script');
  } finally {
    closeSync(descriptor);
  }
  return undefined;
}

function fault(code: string, message: string): StartFault {
  return { code, message };
}
