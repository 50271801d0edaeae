import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Longer than any line of the audit; what is longer is cut, and then it is no record. */
export const MAX_LINE_BYTES = 1_048_576;
const WINDOW_BYTES = 65_536;
const NEWLINE = 0x0a;

/** One line and where the next one begins. */
export interface Line {
  readonly text: string;
  /** Bytes from the start of the file. */
  readonly end: number;
}

/** The end of a file. */
export interface FileEnd {
  /** The last whole line, without its newline. */
  readonly last: string | undefined;
  readonly size: number;
  /** Bytes up to the last newline; what follows is torn. */
  readonly wholeBytes: number;
}

/** Looks at the end of a file, backwards. */
export async function readFileEnd(handle: FileHandle): Promise<FileEnd> {
  const { size } = await handle.stat();
  const wholeBytes = (await lastNewline(handle, size)) + 1;
  if (wholeBytes === 0) return { last: undefined, size, wholeBytes };
  const start = (await lastNewline(handle, wholeBytes - 1)) + 1;
  const length = Math.min(wholeBytes - 1 - start, MAX_LINE_BYTES);
  return { last: (await readAt(handle, start, length)).toString('utf8'), size, wholeBytes };
}

/** The place of the last newline before `end`; -1 when there is none. */
async function lastNewline(handle: FileHandle, end: number): Promise<number> {
  for (let until = end; until > 0; until -= WINDOW_BYTES) {
    const start = Math.max(0, until - WINDOW_BYTES);
    const found = (await readAt(handle, start, until - start)).lastIndexOf(NEWLINE);
    if (found >= 0) return start + found;
  }
  return -1;
}

async function readAt(handle: FileHandle, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

/** The beginning of a line at or before the first record after `seq`: looked for from the end, where it nearly always is. */
export async function placeAfter(path: string, seq: number): Promise<number> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    for (let window = MAX_LINE_BYTES; ; window *= 4) {
      const from = Math.max(0, size - window);
      const start = from === 0 ? 0 : await lineStartAfter(handle, from, size);
      if (start === 0) return 0;
      if (seqAt(await readAt(handle, start, WINDOW_BYTES)) <= seq) return start;
    }
  } finally {
    await handle.close();
  }
}

async function lineStartAfter(handle: FileHandle, from: number, size: number): Promise<number> {
  for (let start = from; start < size; start += WINDOW_BYTES) {
    const found = (await readAt(handle, start, WINDOW_BYTES)).indexOf(NEWLINE);
    if (found >= 0) return start + found + 1;
  }
  return 0;
}

function seqAt(bytes: Buffer): number {
  try {
    const end = bytes.indexOf(NEWLINE);
    const { seq } = JSON.parse(bytes.toString('utf8', 0, end < 0 ? bytes.length : end)) as { readonly seq?: unknown };
    return typeof seq === 'number' ? seq : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The lines of a file from a byte on, in constant memory. A last line without newline is given like the others; no file: none. */
export async function* readLines(path: string, start = 0): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  let kept = 0;
  let place = start;
  const take = (piece: Buffer): void => {
    // Of a line without end only the beginning is kept: the file is not to be trusted.
    if (kept <= MAX_LINE_BYTES) rest.push(piece);
    kept += piece.length;
  };
  const line = (): Line => {
    place += kept;
    const text = Buffer.concat(rest).toString('utf8');
    rest = [];
    kept = 0;
    return { text, end: place };
  };
  for await (const chunk of chunksOf(path, start)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at));
      from = at + 1;
      place += 1;
      yield line();
    }
    take(chunk.subarray(from));
  }
  if (kept > 0) yield line();
}

async function* chunksOf(path: string, start: number): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { start, highWaterMark: 262_144 })) yield chunk as Buffer;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}
