import { availableParallelism } from 'node:os';
import { readHardLimits } from './proc.ts';
import type { Command } from './types.ts';

/** Open files of a tool. */
const OPEN_FILES = 1024;
/** Largest file a tool may write, unless the command reads back a larger one. */
const FILE_BYTES = 67_108_864;

/** Resource limits of one process by the names of prlimit(1), soft and hard alike. */
export interface ResourceLimits {
  readonly core: number;
  readonly nofile: number;
  readonly fsize: number;
  /** Seconds of CPU over all threads. */
  readonly cpu: number;
  readonly data: number;
  readonly as: number;
  /** Processes and threads of the user id, in the user namespace where there is one. */
  readonly nproc?: number;
}

/** The limits of one command, none above what this process itself has. `processes` undefined sets none. */
export function resourceLimits(command: Command, processes: number | undefined): ResourceLimits {
  const { limits } = command;
  // CPU time counts all threads: a tool that uses every core until its wall-clock limit must not die before it.
  const cpuSeconds = Math.ceil(command.timeoutMs / 1000) * availableParallelism() + 1;
  const hardLimit = readHardLimits();
  const within = (wanted: number, name: string) => Math.min(wanted, hardLimit(name));
  return {
    core: 0,
    nofile: within(OPEN_FILES, 'Max open files'),
    fsize: within(Math.max(FILE_BYTES, limits.fileBytes), 'Max file size'),
    cpu: within(cpuSeconds, 'Max cpu time'),
    data: within(limits.dataBytes, 'Max data size'),
    as: within(limits.addressSpaceBytes, 'Max address space'),
    ...(processes === undefined ? {} : { nproc: within(processes, 'Max processes') }),
  };
}
