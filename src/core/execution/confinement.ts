import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { readHardLimits } from './proc.ts';
import type { Command } from './types.ts';

/** Open files of a tool. */
const OPEN_FILES = 1024;
/** Processes and threads of a tool that has a user id of its own. */
const PROCESSES = 512;
/** Largest file a tool may write, unless the command reads back a larger one. */
const FILE_BYTES = 67_108_864;
/** Fixed directories: a PATH that someone else set must not choose the program that confines. */
const SYSTEM_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'] as const;

/** The two programs of util-linux that make layer 1. */
export interface Confiner {
  readonly prlimit: string;
  readonly setpriv: string;
}

/** As whom a process runs: a user id of its own, or the gateway's when undefined. */
export interface Identity {
  readonly uid: number | undefined;
}

/** Finds util-linux in the system's directories; undefined when layer 1 cannot be had. */
export function findConfiner(directories: readonly string[] = SYSTEM_DIRECTORIES): Confiner | undefined {
  const prlimit = findProgram('prlimit', directories);
  const setpriv = findProgram('setpriv', directories);
  return prlimit === undefined || setpriv === undefined ? undefined : { prlimit, setpriv };
}

/** The argument vector, first element the program, that runs the command inside layer 1 (prlimit(1), setpriv(1)). */
export function confinedArgv(confiner: Confiner, command: Command, identity: Identity): readonly string[] {
  return [
    confiner.prlimit,
    ...limitArguments(command, identity),
    '--',
    confiner.setpriv,
    ...privilegeArguments(command.capability, identity),
    '--',
    command.binary,
    ...command.argv,
  ];
}

function limitArguments(command: Command, identity: Identity): readonly string[] {
  const { limits } = command;
  // CPU time counts all threads: a tool that uses every core until its wall-clock limit must not die before it.
  const cpuSeconds = Math.ceil(command.timeoutMs / 1000) * availableParallelism() + 1;
  const hardLimit = readHardLimits();
  const within = (wanted: number, name: string) => Math.min(wanted, hardLimit(name));
  return [
    '--core=0',
    `--nofile=${within(OPEN_FILES, 'Max open files')}`,
    `--fsize=${within(Math.max(FILE_BYTES, limits.fileBytes), 'Max file size')}`,
    `--cpu=${within(cpuSeconds, 'Max cpu time')}`,
    `--data=${within(limits.dataBytes, 'Max data size')}`,
    `--as=${within(limits.addressSpaceBytes, 'Max address space')}`,
    // The kernel counts every process of the user id: with a shared one the gateway itself could no longer fork.
    ...(identity.uid === undefined ? [] : [`--nproc=${within(PROCESSES, 'Max processes')}`]),
  ];
}

function privilegeArguments(capability: Command['capability'], identity: Identity): readonly string[] {
  const set = capability === 'raw' ? '-all,+net_raw' : '-all';
  return [
    '--no-new-privs',
    `--inh-caps=${set}`,
    `--ambient-caps=${set}`,
    '--pdeathsig',
    'KILL',
    // Attack: as root the line above alone leaves every capability in the bounding and permitted sets.
    ...(identity.uid === undefined
      ? []
      : [`--reuid=${identity.uid}`, `--regid=${identity.uid}`, '--clear-groups', `--bounding-set=${set}`]),
  ];
}

function findProgram(name: string, directories: readonly string[]): string | undefined {
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
