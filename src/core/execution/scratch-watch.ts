import type { Dirent } from 'node:fs';
import { lstat, readdir, statfs } from 'node:fs/promises';

/** Time between two looks. */
const LOOK_MS = 500;
/** Bytes of all files below a working directory; a single file has its own limit (RLIMIT_FSIZE). */
const MOST_BYTES = 268_435_456;
/** Entries counted; more than that is too much as well. */
const MOST_ENTRIES = 50_000;
/** Free space below which a disk counts as running low. */
const LOW_BYTES = 1_073_741_824;
/** What only a tool makes that hides: a directory closed to its owner, one deeper than a path is long. */
const HIDING: ReadonlySet<string> = new Set(['EACCES', 'ENAMETOOLONG', 'ELOOP']);

/** Something that goes on until it is stopped. */
export interface Watch {
  stop(): void;
}

/** What is asked of the disk. */
export interface WatchOptions {
  /** Bytes that we may still write there. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

/**
 * Looks at a working directory now and then and calls `onFull` once: when it holds more than 256 MiB or 50,000 entries,
 * when something in it cannot be looked at, or when its disk is low and lost 256 MiB since the start.
 * Attack: a tool that fills the disk with many files, each below the limit of one file; in a directory that it closed,
 * or without names (unlinked and still open), where only the disk itself shows them.
 */
export function watchScratch(path: string, onFull: () => void, { freeBytes = readFree }: WatchOptions = {}): Watch {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  const freeAtStart = freeBytes(path).catch(() => 0);
  const again = () => void (timer = setTimeout(() => void look(), LOOK_MS));
  const isDiskLow = async () => {
    const free = await freeBytes(path);
    return free < LOW_BYTES && (await freeAtStart) - free > MOST_BYTES;
  };
  const look = async () => {
    const isFull = (await exceeds(path).catch(isHidden)) || (await isDiskLow().catch(() => false));
    if (isStopped) return;
    if (isFull) onFull();
    else again();
  };
  again();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

async function readFree(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function exceeds(root: string): Promise<boolean> {
  let bytes = 0;
  let entries = 0;
  const waiting = [Buffer.from(root)];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await entriesOf(directory)) {
      entries += 1;
      if (entries > MOST_ENTRIES) return true;
      // A name is bytes: one that is not UTF-8 must not end the look.
      const path = Buffer.concat([directory, Buffer.from('/'), entry.name]);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile()) bytes += await bytesOf(path);
      if (bytes > MOST_BYTES) return true;
    }
  }
  return false;
}

async function entriesOf(directory: Buffer): Promise<readonly Dirent<Buffer>[]> {
  return (await unlessGone(readdir(directory, { withFileTypes: true, encoding: 'buffer' }))) ?? [];
}

/** Blocks, not length: a file with holes takes no room. */
async function bytesOf(path: Buffer): Promise<number> {
  return ((await unlessGone(lstat(path)))?.blocks ?? 0) * 512;
}

/** Attack: a name that comes and goes all the time ends every look before the large files. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function isHidden(error: unknown): boolean {
  return HIDING.has((error as NodeJS.ErrnoException).code ?? '');
}
