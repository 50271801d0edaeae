import { closeSync, fstatSync, readSync } from 'node:fs';
import { type HeldDirectory, holdDirectory, openRegularFile } from './directory.ts';

/** Files read back of one run, and entries of one directory looked at. */
const MAX_FILES = 64;
const MAX_ENTRIES = 4096;
/** All files of one run together: this many times the cap of one. */
const TOTAL_FACTOR = 4;

/** Which files are read back, and how much of them. */
export interface ReadBack {
  readonly scratch: string;
  /** Scratch-relative; `*` matches inside one segment. */
  readonly patterns: readonly string[];
  /** Cap of one file, bytes. */
  readonly fileBytes: number;
  /** Our own user id, which the tool has too: a file of anybody else is not the tool's. */
  readonly owner: number;
}

/** Reads the files that a run left, each cut at the cap. Links, devices and other people's files are not there. */
export function readBack(request: ReadBack): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const scratch = holdDirectory(request.scratch);
  try {
    for (const pattern of request.patterns) walk(scratch, pattern.split('/'), { request, files, prefix: '' });
  } finally {
    scratch.close();
  }
  return files;
}

interface Walk {
  readonly request: ReadBack;
  readonly files: Map<string, Buffer>;
  readonly prefix: string;
}

function walk(directory: HeldDirectory, segments: readonly string[], state: Walk): void {
  const [segment = '', ...rest] = segments;
  for (const name of matches(directory, segment)) {
    const path = `${state.prefix}${name}`;
    if (rest.length === 0) keep(directory, name, { ...state, prefix: path });
    else descend(directory, name, { rest, state: { ...state, prefix: `${path}/` } });
  }
}

function descend(directory: HeldDirectory, name: string, next: { rest: readonly string[]; state: Walk }): void {
  let below: HeldDirectory;
  try {
    // Attack: a link named like the directory that we expect would lead to files of the gateway.
    below = holdDirectory(directory.entry(name));
  } catch {
    return; // not a directory, or not there
  }
  try {
    walk(below, next.rest, next.state);
  } finally {
    below.close();
  }
}

function matches(directory: HeldDirectory, segment: string): readonly string[] {
  if (segment === '' || segment === '.' || segment === '..') return [];
  if (!segment.includes('*')) return [segment];
  const pattern = new RegExp(
    `^${segment
      .split('*')
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
      .join('[^/]*')}$`,
    's',
  );
  try {
    const names = directory.list(MAX_ENTRIES).map((entry) => entry.name.toString('utf8'));
    return names.filter((name) => pattern.test(name)).sort();
  } catch {
    return []; // the tool made it unreadable
  }
}

function keep(directory: HeldDirectory, name: string, state: Walk): void {
  const { request, files } = state;
  if (files.size >= MAX_FILES || files.has(state.prefix)) return;
  const used = [...files.values()].reduce((sum, file) => sum + file.length, 0);
  const room = Math.min(request.fileBytes, request.fileBytes * TOTAL_FACTOR - used);
  const descriptor = openRegularFile(directory, name);
  if (descriptor === undefined) return;
  try {
    const { uid, nlink, size } = fstatSync(descriptor);
    // Attack: a hard link to a file of the gateway, which may be read by us but not by the tool.
    if (uid !== request.owner || nlink !== 1) return;
    files.set(state.prefix, readUpTo(descriptor, Math.min(size, room)));
  } finally {
    closeSync(descriptor);
  }
}

function readUpTo(descriptor: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(descriptor, buffer, filled, length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
