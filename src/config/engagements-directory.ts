import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** A directory as it was at one moment. */
export interface Snapshot {
  readonly files: readonly { readonly path: string; readonly content: Buffer }[];
  readonly faults: readonly string[];
  readonly notices: readonly string[];
  /** Directories in which something could change what the files are. */
  readonly places: readonly Place[];
  /** Of names, contents and faults: two looks with one digest saw the same. */
  readonly digest: string;
}

/** A directory, and the one name in it that matters; absent: every name. */
export interface Place {
  readonly path: string;
  readonly name?: string;
}

const MAX_FILES = 1000;
const MAX_FILE_BYTES = 262_144;
const MAX_ALL_BYTES = 16_777_216;
/** Not hidden ones: editors keep half-written copies there, and Kubernetes its `..data`. */
const NAME = /^[^.].*\.ya?ml$/i;

/** Looks at every `*.yaml` and `*.yml` of a directory. Never throws. */
export function takeSnapshot(directory: string): Snapshot {
  const files: { path: string; content: Buffer }[] = [];
  const faults: string[] = [];
  const notices: string[] = [];
  const whole = resolve(directory);
  const directories = new Set<string>();
  try {
    const root = realpathSync(directory);
    directories.add(root);
    notices.push(...writableNotices(directory));
    const names = readdirSync(root).filter((name) => NAME.test(name));
    if (names.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files`);
    let left = MAX_ALL_BYTES;
    for (const name of names.toSorted()) {
      const path = join(directory, name);
      try {
        const { content, real } = readInside(root, name);
        directories.add(dirname(real));
        left -= content.length;
        files.push({ path, content });
      } catch (thrown) {
        faults.push(`${path}: ${reasonOf(thrown)}`);
      }
      if (left < 0) throw new Error(`more than ${MAX_ALL_BYTES} bytes in all`);
    }
  } catch (thrown) {
    faults.push(`${directory}: ${reasonOf(thrown)}`);
  }
  const inside = [...directories].map((path) => ({ path }));
  const places = [{ path: dirname(whole), name: basename(whole) }, ...inside];
  return { files, faults, notices, places, digest: digestOf(files, faults) };
}

/**
 * Reads a regular file that lies inside the directory, also by links (Kubernetes mounts link through `..data`). A link
 * that leads out would make a file that somebody else may write into a permission; a FIFO would stop the gateway.
 */
function readInside(root: string, name: string): { readonly content: Buffer; readonly real: string } {
  const real = realpathSync(join(root, name));
  if (!real.startsWith(root === sep ? sep : `${root}${sep}`)) throw new Error('a link that leads out of the directory');
  const descriptor = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('not a regular file');
    const content = Buffer.alloc(Math.min(stats.size, MAX_FILE_BYTES) + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, content, length, content.length - length, null);
      length += count;
      if (count === 0) return { content: content.subarray(0, length), real };
      if (length > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
      if (length === content.length) throw new Error('written while it was read');
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Whoever may write here permits themselves what they like: a taken-over gateway too. */
function writableNotices(directory: string): readonly string[] {
  const others = (statSync(directory).mode & 0o022) !== 0;
  return [
    ...(others ? [`${directory} may be written by others than its owner; chmod go-w`] : []),
    ...(isWritable(directory)
      ? [`${directory} may be written by the gateway itself; give it to another user and leave read permission`]
      : []),
  ];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function reasonOf(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'not there';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read';
  return code === undefined ? message : `cannot be read (${code})`;
}

function digestOf(files: Snapshot['files'], faults: readonly string[]): string {
  const hash = createHash('sha256');
  for (const { path, content } of files) hash.update(JSON.stringify([path, content.length])).update(content);
  return hash.update(JSON.stringify(faults)).digest('hex');
}
