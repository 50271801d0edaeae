import { chmodSync, closeSync, constants, type Dirent, fstatSync, openSync, opendirSync } from 'node:fs';

/** Linux open(2): a handle on a place in the tree that needs no permission on it. */
const O_PATH = 0o10000000;

/**
 * A directory held open, and paths of its entries through that handle: what openat(2) is for, which Node.js lacks.
 * Attack: a tool that swaps a directory for a symbolic link between our look and our step leads a path elsewhere,
 * but never a handle.
 */
export interface HeldDirectory {
  /** Path of the held directory itself, whatever its name is now. */
  readonly path: string;
  /** Path of one entry; the name is a single component. */
  entry(name: Buffer | string): Buffer;
  /** Makes the directory readable for its owner again; false when we may not. */
  unlock(): boolean;
  /** At most `limit` entries. Throws when it may not be read. */
  list(limit: number): readonly Dirent<Buffer>[];
  close(): void;
}

/** Opens one directory without following a symbolic link in the last component. Throws the error of open(2). */
export function holdDirectory(path: Buffer | string): HeldDirectory {
  const descriptor = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const own = `/proc/self/fd/${descriptor}`;
  return {
    path: own,
    entry: (name) => Buffer.concat([Buffer.from(`${own}/`), typeof name === 'string' ? Buffer.from(name) : name]),
    unlock: () => {
      try {
        chmodSync(own, 0o700);
        return true;
      } catch {
        return false; // another user's; the next step says what cannot be done
      }
    },
    list: (limit) => listEntries(own, limit),
    close: () => closeSync(descriptor),
  };
}

/** Descriptor of a regular file beneath `directory`, opened without following a link; undefined when it is anything else. */
export function openRegularFile(directory: HeldDirectory, name: Buffer | string): number | undefined {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
  let descriptor: number;
  try {
    // Attack: a FIFO or a device in place of a file must neither block us nor become our terminal.
    descriptor = openSync(directory.entry(name), flags);
  } catch {
    return undefined; // not there, a link, or not readable
  }
  if (fstatSync(descriptor).isFile()) return descriptor;
  closeSync(descriptor);
  return undefined;
}

function listEntries(path: string, limit: number): readonly Dirent<Buffer>[] {
  // A name is bytes: one that is not UTF-8 must stay what it is, or it could not be removed.
  const directory = opendirSync(path, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
  try {
    const found: Dirent<Buffer>[] = [];
    while (found.length < limit) {
      const entry = directory.readSync();
      if (entry === null) break;
      found.push(entry as unknown as Dirent<Buffer>);
    }
    return found;
  } finally {
    directory.closeSync();
  }
}
