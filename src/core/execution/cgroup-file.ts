import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statfsSync,
  writeSync,
} from 'node:fs';

/** File system types of the two versions of control groups (statfs(2)). */
const MAGIC = { 1: 0x27e0eb, 2: 0x63677270 } as const;
/** Groups of one run looked at; a run has one, more are made only by a process that got around the file system layer. */
const MAX_GROUPS = 1000;

/** True for a directory that really is a control group of that version, reached by no symbolic link. */
export function isGroup(path: string, version: 1 | 2): boolean {
  try {
    // Attack: an ordinary directory, or a link, in the place of the group. It would take every value and limit nothing.
    return realpathSync(path) === path && statfsSync(path).type === MAGIC[version];
  } catch {
    return false; // the question was whether
  }
}

/** True when this process may write there (access(2)); a read-only mount answers no. */
export function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false; // the question was whether
  }
}

/** Makes one group; `mayExist` takes one that is there already. */
export function makeGroup(path: string, mayExist: 'fresh' | 'mayExist'): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (mayExist === 'fresh' || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Text of a control file, undefined when the kernel has no such file or the group is gone. */
export function readControl(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Writes one value in one write(2), as control files want it; throws with the kernel's errno. */
export function writeControl(path: string, value: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    writeSync(file, value);
  } finally {
    closeSync(file);
  }
}

/** The same where a refusal is no fault (another value is read back afterwards, or the file is not everywhere). */
export function tryControl(path: string, value: string): boolean {
  try {
    writeControl(path, value);
    return true;
  } catch {
    return false;
  }
}

/** Ids of the living processes in a group; 0 stands for one outside of our PID namespace. Empty when it is gone. */
export function processesIn(group: string): readonly number[] {
  return (readControl(`${group}/cgroup.procs`) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** The group and all groups below it, parents first. */
export function withGroupsBelow(group: string): readonly string[] {
  const found = [group];
  for (let index = 0; index < found.length && found.length < MAX_GROUPS; index += 1) {
    const parent = found[index];
    if (parent !== undefined) for (const name of groupNames(parent)) found.push(`${parent}/${name}`);
  }
  return found;
}

/** Names of the groups directly below one; empty when it is gone. */
export function groupNames(group: string): readonly string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** True for the errors with which control groups answer that the file or its group is not there (any more). */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENODEV';
}
