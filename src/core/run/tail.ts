import type { Clock } from '../clock.ts';
import type { StreamName } from '../store/types.ts';
import type { RunText } from './conclusion.ts';
import type { RunHub } from './hub.ts';

const TAIL_BYTES = 2048;
const INTERVAL_MS = 1000;
const LINE_END = 0x0a;

/** What the tail of a run's output is shown with. */
export interface TailParts {
  readonly runId: string;
  readonly hub: RunHub;
  readonly clock: Clock;
  readonly text: Pick<RunText, 'cleanTail'>;
  readonly mask: <T>(value: T) => T;
}

/** Shows whoever follows a run the last whole lines of its output, at most once a second; nothing is kept. */
export function showTail({ runId, hub, clock, text, mask }: TailParts): {
  take(stream: StreamName, chunk: Buffer): void;
} {
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    take(stream, chunk) {
      const now = clock.monotonic();
      if (now - shownAt < INTERVAL_MS) return;
      // A line that is not whole could end in half a secret, which no mask knows.
      const end = chunk.lastIndexOf(LINE_END);
      const start = chunk.indexOf(LINE_END);
      if (end < 0 || start === end) return;
      // Never in the middle of a line, for the same reason; a line that is longer than the tail is not shown.
      const before = end - TAIL_BYTES <= start ? start : chunk.indexOf(LINE_END, end - TAIL_BYTES);
      if (before === end) return;
      shownAt = now;
      const lines = chunk.subarray(before + 1, end);
      hub.show(runId, { type: 'output', data: { stream, text: mask(text.cleanTail(lines.toString('utf8'))) } });
    },
  };
}
