import type { StreamName } from '../store/types.ts';
import type { OutputWriter } from './output-writer.ts';

/** How one line is made safe. */
export interface LineMask {
  readonly clean: (text: string) => string;
  readonly mask: (text: string) => string;
}

const LINE_END = 0x0a;
/** A line that is longer is masked in parts. */
const MAX_LINE_BYTES = 65_536;
/** What stays behind of such a part: a secret that lies across its end is seen as a whole with the next one. */
const OVERLAP_BYTES = 8192;

/**
 * A writer that masks what it is given, line by line. A line without a secret is kept as the bytes that it was; one with
 * a secret is kept as cleaned text, because a sequence in the middle of the secret would hide it from the mask.
 */
export function maskLines(writer: OutputWriter, lines: LineMask): OutputWriter {
  const streams = { stdout: createLines(lines), stderr: createLines(lines) };
  return {
    take: (stream, chunk) => writeTo(writer, stream, streams[stream].take(chunk)),
    async end() {
      for (const stream of ['stdout', 'stderr'] as const) void writeTo(writer, stream, streams[stream].end());
      return writer.end();
    },
  };
}

function writeTo(writer: OutputWriter, stream: StreamName, bytes: Buffer): Promise<void> | undefined {
  return bytes.length === 0 ? undefined : writer.take(stream, bytes);
}

function createLines(lines: LineMask) {
  let rest = Buffer.alloc(0);
  return {
    take(chunk: Buffer): Buffer {
      const bytes = Buffer.concat([rest, chunk]);
      const masked: Buffer[] = [];
      let start = 0;
      for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, start)) {
        masked.push(maskLine(bytes.subarray(start, end), lines), bytes.subarray(end, end + 1));
        start = end + 1;
      }
      // A copy: a view would hold on to everything that was read with it.
      rest = Buffer.from(bytes.subarray(start));
      if (rest.length > MAX_LINE_BYTES) {
        const long = maskLine(rest, lines);
        const cut = Math.max(0, long.length - OVERLAP_BYTES);
        masked.push(long.subarray(0, cut));
        rest = Buffer.from(long.subarray(cut));
      }
      return Buffer.concat(masked);
    },
    end(): Buffer {
      const last = maskLine(rest, lines);
      rest = Buffer.alloc(0);
      return last;
    },
  };
}

function maskLine(bytes: Buffer, { clean, mask }: LineMask): Buffer {
  const text = clean(bytes.toString('utf8'));
  const masked = mask(text);
  return masked === text ? bytes : Buffer.from(masked);
}
