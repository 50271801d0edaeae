import { rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SallyportError } from '../errors.ts';
import { isGone, processesIn, readControl, tryControl, withGroupsBelow, writeControl } from './cgroup-file.ts';
import type { Controller } from './cgroup-paths.ts';
import { signalProcess } from './signal.ts';

/** Looks at a group before its processes, or the kernel's hold on it, count as not to be ended: about 5 s. */
const LOOKS = 260;
const PAUSE_MS = 20;
/** Looks that follow each other quickly at first: cgroup.kill takes 2 to 15 ms. */
const QUICK_LOOKS = 10;
/** Memory limits are rounded down to whole pages, of at most 64 KiB. */
const LARGEST_PAGE = 65_536;
/** Microseconds in which cpu.max counts. */
const CPU_PERIOD_US = 100_000;

/** The caps of one run. All are whole numbers above zero. */
export interface CgroupLimits {
  readonly memoryBytes: number;
  /** Processes and threads together, as the pids controller counts. */
  readonly processes: number;
  /** Of one processor: 150 is one and a half. */
  readonly cpuPercent: number;
}

/** One directory of a run, with what limits it. */
export interface GroupPart {
  readonly version: 1 | 2;
  readonly path: string;
  readonly controllers: readonly Controller[];
}

/** The control group of one run: one directory in each tree. */
export interface RunCgroup {
  /** Absolute cgroup.procs files; a process that writes "0" into each of them is in the group, with all it forks. */
  readonly procs: readonly string[];
  /**
   * Ends every process in it, however it forks, and resolves when none is left. Throws ERR_EXEC_CONFINEMENT after 5 s.
   * A process that joins later is not ended: let the joining child be dead, or call it again.
   */
  kill(): Promise<void>;
  /** Living processes in it, zombies not counted. */
  count(): number;
  /** True when the kernel ended a process because the group was out of memory; also after `remove`. */
  oomKilled(): boolean;
  /** Removes the empty group; repeated while the kernel still holds it. Throws ERR_EXEC_CONFINEMENT after 5 s. */
  remove(): Promise<void>;
}

/** Writes the caps into a fresh group and reads each back. Throws when one did not take. */
export function limitGroup({ version, path, controllers }: GroupPart, limits: CgroupLimits): void {
  // Attack: a tool without the file system layer that nests groups so that looking through them never ends.
  if (version === 2) for (const file of ['cgroup.max.depth', 'cgroup.max.descendants']) set(`${path}/${file}`, '0');
  if (controllers.includes('memory')) limitMemory(version, path, limits.memoryBytes);
  if (controllers.includes('pids')) set(`${path}/pids.max`, String(limits.processes));
  if (controllers.includes('cpu')) limitCpu(version, path, Math.floor((limits.cpuPercent * CPU_PERIOD_US) / 100));
}

/** A run's group over directories that exist. */
export function runCgroup(parts: readonly GroupPart[]): RunCgroup {
  let wasOutOfMemory = false;
  const oomKilled = (): boolean => {
    wasOutOfMemory ||= parts.some((part) => oomKills(part) > 0);
    return wasOutOfMemory;
  };
  return {
    procs: parts.map((part) => `${part.path}/cgroup.procs`),
    kill: () => killParts(parts),
    count: () => processesOf(parts).length,
    oomKilled,
    remove: async () => {
      oomKilled();
      for (const part of parts) await removeGroup(part.path);
    },
  };
}

function limitMemory(version: 1 | 2, path: string, bytes: number): void {
  const took = (read: string): boolean => Number(read) <= bytes && bytes - Number(read) < LARGEST_PAGE;
  if (version === 2) {
    set(`${path}/memory.max`, String(bytes), took);
    // Attack: a tool that fills the swap of the machine instead of its memory.
    setWhereThere(`${path}/memory.swap.max`, '0');
    // Half of a killed tree gives half of a result that looks whole: the kernel ends all of it.
    setWhereThere(`${path}/memory.oom.group`, '1');
    return;
  }
  set(`${path}/memory.limit_in_bytes`, String(bytes), took);
  // The same attack: memory and swap together get no more than memory alone.
  const hasSwapLimit = setWhereThere(`${path}/memory.memsw.limit_in_bytes`, String(bytes), took);
  if (!hasSwapLimit) setWhereThere(`${path}/memory.swappiness`, '0');
}

function limitCpu(version: 1 | 2, path: string, quotaUs: number): void {
  if (version === 2) {
    set(`${path}/cpu.max`, `${quotaUs} ${CPU_PERIOD_US}`);
    return;
  }
  set(`${path}/cpu.cfs_period_us`, String(CPU_PERIOD_US));
  set(`${path}/cpu.cfs_quota_us`, String(quotaUs));
}

function setWhereThere(path: string, value: string, took = (read: string) => read === value): boolean {
  if (readControl(path) === undefined) return false;
  set(path, value, took);
  return true;
}

function set(path: string, value: string, took = (read: string) => read === value): void {
  writeControl(path, value);
  const read = readControl(path);
  // Fail closed: a limit that the kernel, or whoever stands in for it, did not keep is no limit.
  if (read === undefined || read === '' || !took(read)) {
    throw fault(`${basename(path)} is ${read ?? 'gone'}, not ${value}`);
  }
}

function oomKills(part: GroupPart): number {
  if (!part.controllers.includes('memory')) return 0;
  const file = part.version === 2 ? 'memory.events' : 'memory.oom_control';
  return Number(/^oom_kill (\d+)$/m.exec(readControl(`${part.path}/${file}`) ?? '')?.[1] ?? 0);
}

function processesOf(parts: readonly GroupPart[]): readonly number[] {
  const groups = parts.flatMap((part) => withGroupsBelow(part.path));
  return [...new Set(groups.flatMap((group) => processesIn(group)))];
}

async function killParts(parts: readonly GroupPart[]): Promise<void> {
  // Attack: a fork bomb that is always one child ahead of the signals. cgroup.kill is atomic; where it does not exist,
  // a limit of no processes at all stops every further fork before the first signal is sent.
  for (const part of parts) if (part.controllers.includes('pids')) tryControl(`${part.path}/pids.max`, '0');
  for (let look = 0; look < LOOKS; look += 1) {
    const isKilledAtOnce = parts.filter((part) => tryControl(`${part.path}/cgroup.kill`, '1')).length > 0;
    const left = processesOf(parts);
    if (left.length === 0) return;
    // What got out of the version 2 group is still in one of version 1, and has to be signalled as well.
    if (!isKilledAtOnce || look > 0) signalEach(left);
    await sleep(look < QUICK_LOOKS ? 1 : PAUSE_MS);
  }
  throw fault(`${processesOf(parts).length} processes of a control group could not be ended`);
}

function signalEach(pids: readonly number[]): void {
  for (const pid of pids) {
    // Between the look and the signal a pid can become another process of our uid: only where cgroup.kill is missing.
    // 0 is a process that our PID namespace does not show: kill(2) would take it for our own process group.
    // Attack: a tool of our uid without the file system layer that moves the gateway into its group.
    if (pid > 1 && pid !== process.pid) signalProcess(pid, 'SIGKILL');
  }
}

async function removeGroup(path: string): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    const busy = withGroupsBelow(path)
      .toReversed()
      .filter((group) => !isRemoved(group));
    if (busy.length === 0) return;
    await sleep(look < QUICK_LOOKS ? 1 : PAUSE_MS);
  }
  throw fault('a control group could not be removed: something is still in it');
}

function isRemoved(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    const { code } = error as NodeJS.ErrnoException;
    // Dead processes are in it until the kernel has let them go (cgroups(7)).
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

function fault(message: string): SallyportError {
  return new SallyportError('ERR_EXEC_CONFINEMENT', `Control group: ${message}.`);
}
