/** Silence after which a comment is sent, so that nothing in between takes the connection for dead. */
export const KEEP_ALIVE_MS = 15_000;

/** One event of a stream; `id` is absent where it cannot be read again. */
export interface StreamedEvent {
  readonly id?: string | number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What is written to: the raw response of a server. */
export interface EventSink {
  readonly destroyed: boolean;
  readonly writableNeedDrain: boolean;
  write(text: string): boolean;
  destroy(): unknown;
  on(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
}

const MAX_STALLED_BEATS = 8;

/** Headers of a stream beside those that every answer has. */
export function eventStreamHeaders(common: object): Record<string, string> {
  return {
    ...Object.fromEntries(Object.entries(common).map(([name, value]) => [name, String(value)])),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  };
}

/** One event as it stands on the wire (WHATWG HTML section 9.2); JSON holds no line break. */
export function eventFrame({ id, type, data }: StreamedEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * Writes events as fast as they are read and pulls no more than that: a reader that never reads costs one full socket
 * buffer, and after eight beats without any reading its connection, because it holds a place that others need.
 */
export async function pumpEvents(
  events: AsyncIterable<StreamedEvent>,
  { sink, keepAliveMs = KEEP_ALIVE_MS }: { sink: EventSink; keepAliveMs?: number },
): Promise<void> {
  let stalledBeats = 0;
  const moved = () => {
    stalledBeats = 0;
  };
  const beat = setInterval(() => {
    if (!sink.writableNeedDrain) sink.write(': keep-alive\n\n');
    else if ((stalledBeats += 1) >= MAX_STALLED_BEATS) sink.destroy();
  }, keepAliveMs).unref();
  sink.on('drain', moved);
  try {
    for await (const event of events) {
      if (sink.destroyed) return;
      if (!sink.write(eventFrame(event))) await drained(sink);
    }
  } finally {
    clearInterval(beat);
    sink.off('drain', moved);
  }
}

/** Resolves once the sink takes more, or never will. */
async function drained(sink: EventSink): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      sink.off('drain', done);
      sink.off('close', done);
      resolve();
    };
    sink.on('drain', done);
    sink.on('close', done);
    if (sink.destroyed || !sink.writableNeedDrain) done();
  });
}
