import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StringDecoder } from 'node:string_decoder';
import { type Command, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { DATA_FILES } from './gateway-process.ts';
import { findDataDir } from './settings.ts';

/** At most this much of the end of a log is looked at for its last lines. */
const TAIL_BYTES = 4_194_304;

/** `logs`: prints the last lines of the background gateway's log, and goes on with `--follow` until Ctrl-C. */
export const logs: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    lines: { type: 'string', short: 'n', default: '50' },
    follow: { type: 'boolean', short: 'f', default: false },
  });
  requireNoWords(positionals);
  if (!/^\d{1,6}$/.test(values.lines)) throw usageError(`--lines takes a number, not '${values.lines}'.`);
  const path = join(await findDataDir(context), DATA_FILES.log);
  const tail = readTail(path, Number(values.lines));
  if (tail === undefined) {
    context.err(`sallyport: there is no log at ${path}; the gateway was not started in the background`);
    return EXIT.failed;
  }
  for (const line of tail.lines) context.out(line);
  if (values.follow) await follow(path, tail, context);
  return EXIT.ok;
};

/** The end of a file. */
export interface Tail {
  readonly lines: readonly string[];
  /** Its size when it was read, bytes. */
  readonly end: number;
  /** Inode: tells whether a later look sees the same file. */
  readonly file: number;
}

/** The last lines of a file, of those that begin at or after `from` bytes; undefined when there is none. */
export function readTail(path: string, count: number, from = 0): Tail | undefined {
  const opened = open(path);
  if (opened === undefined) return undefined;
  try {
    const { size, ino } = fstatSync(opened);
    const start = Math.max(Math.min(from, size), size - TAIL_BYTES);
    const lines = read(opened, start, size).toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    return { lines: count === 0 ? [] : lines.slice(-count), end: size, file: ino };
  } finally {
    closeSync(opened);
  }
}

async function follow(path: string, from: Tail, context: Parameters<Command>[0]): Promise<void> {
  let { end: position, file } = from;
  let rest = '';
  const decoder = new StringDecoder('utf8');
  while (!context.signal.aborted) {
    const opened = open(path);
    if (opened !== undefined) {
      const { size, ino } = fstatSync(opened);
      if (ino !== file || size < position) position = 0; // set aside at a restart
      file = ino;
      const parts = (rest + decoder.write(read(opened, position, size))).split('\n');
      closeSync(opened);
      position = size;
      rest = parts.pop() ?? '';
      for (const line of parts) context.out(line);
    }
    await delay(200, undefined, { signal: context.signal }).catch(() => undefined);
  }
}

function read(opened: number, start: number, end: number): Buffer {
  const buffer = Buffer.alloc(end - start);
  return buffer.subarray(0, readSync(opened, buffer, 0, buffer.length, start));
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}
