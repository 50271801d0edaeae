import type { Clock } from '../core/clock.ts';
import type { ToolEvent } from '../core/tool/definition.ts';
import { visible } from './visible.ts';

/** The parameters of one progress notification, without its token. */
export interface ProgressNote {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** Turns what a tool reports into progress notifications. */
export interface Progress {
  offer(event: ToolEvent): void;
  /** After it nothing is sent. */
  end(): void;
}

export interface ProgressOptions {
  readonly clock: Clock;
  /** Shortest time between two notes, milliseconds. */
  readonly intervalMs: number;
  readonly send: (note: ProgressNote) => void;
  readonly isSlow: () => boolean;
}

const STEP = 0.01;
/** Never 100 before the answer: what comes after it would have no room to rise. */
const MAX_PERCENT = 99;
const MAX_MESSAGE_CHARS = 200;

/**
 * Strictly increasing, at most one note per interval (the newest one wins), none while the reader is slow and none
 * after the end, so that neither a chatty tool nor a client that never reads can fill the memory.
 */
export function createProgress({ clock, intervalMs, send, isSlow }: ProgressOptions): Progress {
  let last = 0;
  let sentAt = Number.NEGATIVE_INFINITY;
  let waiting: { percent?: number; message?: string } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const flush = () => {
    timer = undefined;
    if (ended || waiting === undefined || isSlow()) return;
    const { percent, message } = waiting;
    waiting = undefined;
    sentAt = clock.monotonic();
    // Events without a number, and tools whose estimate falls back, still have to move forward.
    last = percent !== undefined && percent > last ? percent : last + Math.min(STEP, (100 - last) / 2);
    send({
      progress: last,
      ...(percent === undefined ? {} : { total: 100 }),
      ...(message === undefined ? {} : { message: visible(message.slice(0, MAX_MESSAGE_CHARS)) }),
    });
  };
  return {
    offer: (event) => {
      if (ended) return;
      const percent = percentOf(event) ?? waiting?.percent;
      const message = event.message ?? waiting?.message;
      waiting = { ...(percent === undefined ? {} : { percent }), ...(message === undefined ? {} : { message }) };
      const wait = sentAt + intervalMs - clock.monotonic();
      if (wait <= 0) flush();
      else timer ??= setTimeout(flush, wait).unref();
    },
    end: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

function percentOf(event: ToolEvent): number | undefined {
  if (event.kind === 'finding') return undefined;
  const { percent, done, total } = event;
  const value = percent ?? (done !== undefined && total !== undefined && total > 0 ? (done / total) * 100 : undefined);
  return value === undefined || !Number.isFinite(value) ? undefined : Math.min(MAX_PERCENT, Math.max(0, value));
}
