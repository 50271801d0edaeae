import { StringDecoder } from 'node:string_decoder';

/** Cuts a stream into lines as its bytes come. */
export interface LineReader {
  /** Takes the next bytes; calls back for every line that ended in them. */
  push(chunk: Buffer): void;
  /** Hands out what stood after the last line end, when anything did. */
  end(): void;
  /** Lines that were longer than the limit and lost their rest. */
  readonly cut: number;
}

/**
 * Splits a byte stream into UTF-8 lines with bounded memory: a line longer than `maxLength` UTF-16 units is handed
 * out cut at that length and its rest is dropped. `\n`, `\r\n` and a bare `\r` (progress lines) end a line.
 */
export function createLineReader(maxLength: number, onLine: (line: string) => void): LineReader {
  const decoder = new StringDecoder('utf8');
  let held = '';
  let overflowing = false;
  let cut = 0;

  const hold = (piece: string): void => {
    if (overflowing) return;
    held += piece;
    if (held.length <= maxLength) return;
    held = held.slice(0, maxLength);
    overflowing = true;
    cut += 1;
  };
  const flush = (): void => {
    if (held !== '') onLine(held);
    held = '';
    overflowing = false;
  };
  const feed = (text: string): void => {
    let from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code !== 10 && code !== 13) continue;
      hold(text.slice(from, at));
      flush();
      from = at + 1;
    }
    hold(text.slice(from));
  };

  return {
    push: (chunk) => feed(decoder.write(chunk)),
    end: () => {
      feed(decoder.end());
      flush();
    },
    get cut() {
      return cut;
    },
  };
}
