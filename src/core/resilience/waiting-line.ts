import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';

/** One who waits: asks for a place, and is told how it went. */
export interface Waiter {
  readonly tool: string;
  readonly signal: AbortSignal;
  /** True when a place was taken for this call. */
  tryTake(): boolean;
  /** The refusal when the line is full or the wait too long. */
  busy(): SallyportError;
}

/** First come, first served, except that nobody waits for a place that only somebody else's tool lacks. */
export interface WaitingLine {
  /** Resolves with the milliseconds waited once `tryTake` succeeded. Rejects with the refusal or ERR_RUN_CANCELLED. */
  wait(waiter: Waiter): Promise<number>;
  /** Gives freed places to those who wait. */
  pump(): void;
  length(tool?: string): number;
  /** Refuses everybody who waits. */
  clear(error: () => SallyportError): void;
}

export interface WaitingLineOptions {
  readonly clock: Clock;
  /** Calls that may wait, of one tool and in all; asked each time. */
  readonly mayWait: (tool: string) => boolean;
  readonly maxWaitMs: () => number;
  readonly onChange: (tool: string) => void;
}

interface Entry extends Waiter {
  readonly settle: (error?: SallyportError) => void;
}

/** Makes an empty line. */
export function createWaitingLine(options: WaitingLineOptions): WaitingLine {
  const { clock } = options;
  const entries = new Set<Entry>();
  const enqueue = (waiter: Waiter) =>
    new Promise<number>((resolve, reject) => {
      const since = clock.monotonic();
      const cancel = () => entry.settle(cancelled());
      const timer = setTimeout(() => entry.settle(waiter.busy()), options.maxWaitMs());
      const entry: Entry = {
        ...waiter,
        settle: (error) => {
          clearTimeout(timer);
          waiter.signal.removeEventListener('abort', cancel);
          // At once: a place in the line that nobody stands on any more would refuse somebody who does.
          entries.delete(entry);
          options.onChange(waiter.tool);
          if (error === undefined) resolve(clock.monotonic() - since);
          else reject(error);
        },
      };
      waiter.signal.addEventListener('abort', cancel, { once: true });
      entries.add(entry);
      options.onChange(waiter.tool);
    });
  return {
    async wait(waiter) {
      if (waiter.signal.aborted) throw cancelled();
      // Nobody is overtaken: whoever waits now waits for a place that this call would also need, or for another tool's.
      if (waiter.tryTake()) return 0;
      if (!options.mayWait(waiter.tool)) throw waiter.busy();
      return enqueue(waiter);
    },
    pump: () => {
      for (const entry of entries) if (entry.tryTake()) entry.settle();
    },
    length: (tool) => (tool === undefined ? entries.size : [...entries].filter((each) => each.tool === tool).length),
    clear: (error) => {
      for (const entry of entries) entry.settle(error());
    },
  };
}

function cancelled(): SallyportError {
  return new SallyportError('ERR_RUN_CANCELLED', 'The call was withdrawn while it waited for a place.');
}
