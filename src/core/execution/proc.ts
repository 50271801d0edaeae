import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Processes looked at between two turns of the event loop: about 1 ms of work. */
const BATCH = 16;
/** Threads asked when the main one cannot answer: all share one answer, unless they end meanwhile. */
const THREADS_READ = 16;
const statusBuffer = Buffer.allocUnsafe(8192);
const environBuffer = Buffer.allocUnsafe(262_144);

/** Where a process stands in the tree; from /proc/<pid>/stat (proc_pid_stat(5)). */
export interface ProcessPlace {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot; with the pid it names one process for ever. */
  readonly startedAt: string;
}

/** Calls `look` for every process but our own, the youngest first, giving the event loop a turn now and then. */
export async function eachProcess(look: (pid: number) => void): Promise<void> {
  let seen = 0;
  // Attack: what lives for a moment only has ended before a look that begins with the oldest comes to it.
  for (const name of readdirSync('/proc').toReversed()) {
    const first = name.charCodeAt(0);
    if (first < 48 || first > 57) continue;
    const pid = Number(name);
    if (pid === process.pid) continue;
    look(pid);
    seen += 1;
    if (seen % BATCH === 0) await nextTurn();
  }
}

/** The process id that was given last on this machine; undefined when the kernel does not tell. */
export function lastProcess(): number | undefined {
  const pid = Number(readSmall('/proc/loadavg', statusBuffer)?.trim().split(' ')[4]);
  return Number.isSafeInteger(pid) && pid > 1 && pid !== process.pid ? pid : undefined;
}

/** Threads of our own user id on the whole machine, as far as they can be seen. */
export async function countOwnThreads(): Promise<number> {
  const uid = String(process.getuid?.());
  let count = 0;
  const add = (status: string | undefined) => {
    const own = /^Uid:\t(\d+)/m.exec(status ?? '')?.[1] === uid;
    if (own) count += Number(/^Threads:\t(\d+)/m.exec(status ?? '')?.[1] ?? 1);
  };
  await eachProcess((pid) => add(readSmall(`/proc/${pid}/status`, statusBuffer)));
  add(readSmall('/proc/self/status', statusBuffer));
  return count;
}

/** Place of a process in the tree; undefined when it is gone or a zombie. */
export function processPlace(pid: number): ProcessPlace | undefined {
  const text = readSmall(`/proc/${pid}/stat`, statusBuffer);
  if (text === undefined) return undefined;
  // The name stands in parentheses and may hold anything, also ") ": what follows the last one is ours to read.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startedAt = fields[19];
  if (state === undefined || startedAt === undefined || isDead(state, fields[17])) return undefined;
  return { state, parent: Number(parent), group: Number(group), session: Number(session), startedAt };
}

/** Entries of the initial environment; empty when it may not be read. */
export function processEnvironment(pid: number): readonly string[] {
  for (const place of readablePlaces(pid)) {
    const text = readSmall(`${place}/environ`, environBuffer);
    if (text !== undefined && text !== '') return text.split('\0');
  }
  return [];
}

/** Working directory of a process; undefined when it may not be read. */
export function processDirectory(pid: number): string | undefined {
  for (const place of readablePlaces(pid)) {
    try {
      return readlinkSync(`${place}/cwd`);
    } catch {
      // another user's, or a thread that ended
    }
  }
  return undefined;
}

/** A zombie runs nothing. Attack: one whose main thread alone has ended looks like it while its other threads work on. */
function isDead(state: string | undefined, threads: string | undefined): boolean {
  return state === 'X' || (state === 'Z' && Number(threads ?? 1) <= 1);
}

/** The process itself and, where its main thread has ended, threads that still have what it had. */
function* readablePlaces(pid: number): Generator<string> {
  yield `/proc/${pid}`;
  if (processPlace(pid)?.state !== 'Z') return;
  for (const name of taskNames(pid).slice(0, THREADS_READ)) if (name !== String(pid)) yield `/proc/${pid}/task/${name}`;
}

function taskNames(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // gone meanwhile
  }
}

/** Descriptors above 2 that a child would inherit: not opened by us, since ours are all close-on-exec. */
export function inheritableDescriptors(): readonly number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name);
    const info = readSmall(`/proc/self/fdinfo/${name}`, statusBuffer);
    const flags = Number.parseInt(/^flags:\t([0-7]+)/m.exec(info ?? '')?.[1] ?? '2000000', 8);
    if (descriptor > 2 && (flags & 0o2000000) === 0) found.push(descriptor);
  }
  return found;
}

/** Hard limits of our own process, asked by their names in /proc/self/limits; Infinity when unlimited. */
export function readHardLimits(): (name: string) => number {
  const lines = readFileSync('/proc/self/limits', 'latin1').split('\n');
  return (name) => {
    const value = lines
      .find((line) => line.startsWith(name))
      ?.slice(26)
      .trim()
      .split(/\s+/)[1];
    if (value === undefined) throw new Error(`/proc/self/limits has no line "${name}"`);
    return value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value);
  };
}

/** One line of a status file as text, e.g. `CapEff`. */
export function statusField(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:[\\t ]*(.*)$`, 'm').exec(status)?.[1]?.trim();
}

/** The 64 bits of a capability set in a status file; 0 when the kernel does not print it. */
export function capabilitySet(status: string, name: 'CapInh' | 'CapPrm' | 'CapEff' | 'CapBnd' | 'CapAmb'): bigint {
  return BigInt(`0x${statusField(status, name) ?? '0'}`);
}

function readSmall(path: string, into: Buffer): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined; // gone meanwhile, or not ours to read
  }
  try {
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, into, length, into.length - length, null);
      length += count;
      if (count === 0 || length === into.length) return into.toString('latin1', 0, length);
    }
  } catch {
    return undefined; // ESRCH: it ended between open and read
  } finally {
    closeSync(descriptor);
  }
}
