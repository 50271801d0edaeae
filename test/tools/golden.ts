import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ParseOutcome, ToolEnd, ToolParser } from '../../src/core/tool/definition.ts';

const DIRECTORY = join(import.meta.dirname, '../fixtures/output');

/** Output captured from a real tool, `tool/sample.stdout`; empty when the tool wrote nothing there. */
export function golden(name: string): Buffer {
  return readFileSync(join(DIRECTORY, name));
}

/** What a parser is fed: the streams and the files that it reads back. */
export interface Feed {
  readonly stdout?: Buffer;
  readonly stderr?: Buffer;
  readonly end?: Partial<ToolEnd>;
}

/** Feeds a parser in small pieces, as a slow process would, and ends it. */
export function feed<R>(parser: ToolParser<R>, { stdout, stderr, end }: Feed): ParseOutcome<R> {
  for (let at = 0; at < (stdout?.length ?? 0); at += 7) parser.stdout(stdout?.subarray(at, at + 7) ?? Buffer.alloc(0));
  for (let at = 0; at < (stderr?.length ?? 0); at += 7) {
    parser.stderr?.(stderr?.subarray(at, at + 7) ?? Buffer.alloc(0));
  }
  return parser.end({
    exitCode: 0,
    ending: 'exited',
    stdoutTruncated: false,
    files: new Map(),
    stderrTail: stderr?.toString('utf8').slice(-4096) ?? '',
    ...end,
  });
}
