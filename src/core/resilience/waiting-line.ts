import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';

/** One who waits: asks for a place, and is told how it went. */
export interface Waiter {
  readonly tool: string;
  /** Whose call it is: owners take turns. */
  readonly owner: string;
  readonly signal: AbortSignal;
  /** Waits however long the line is. */
  readonly isReturning?: boolean;
  /** True when a place was taken for this call. */
  tryTake(): boolean;
  /** The refusal when the line is full or the wait too long. */
  busy(): SallyportError;
}

/**
 * Owners take turns, and each owner's calls are served in the order in which they came, except that nobody waits for a
 * place that only somebody else's tool, or another owner, lacks. Attack: one principal with a thousand waiting calls must not keep the
 * others from their turn.
 */
export interface WaitingLine {
  /**
   * Takes a place or a place in the line at once, or throws the refusal. What it returns resolves with the milliseconds
   * waited once `tryTake` succeeded, and rejects with the refusal or ERR_RUN_CANCELLED.
   */
  join(waiter: Waiter): Promise<number>;
  /** Gives freed places to those who wait. */
  pump(): void;
  length(tool?: string): number;
  /** Refuses everybody who waits. */
  clear(error: () => SallyportError): void;
}

export interface WaitingLineOptions {
  readonly clock: Clock;
  /** Whether one more call of this tool may wait; `isFirst`: its owner has none waiting. Asked each time. */
  readonly mayWait: (tool: string, isFirst: boolean) => boolean;
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
  /** Owners in the order in which they were served last: the first one's turn was longest ago. */
  const turns = new Set<string>();
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
    join(waiter) {
      if (waiter.signal.aborted) throw cancelled();
      // Nobody is overtaken: whoever waits now waits for a place that this call would also need, or for one that only
      // another tool or another owner lacks.
      if (waiter.tryTake()) return Promise.resolve(0);
      const isFirst = ![...entries].some(({ owner }) => owner === waiter.owner);
      if (waiter.isReturning !== true && !options.mayWait(waiter.tool, isFirst)) throw waiter.busy();
      return enqueue(waiter);
    },
    pump: () => {
      for (let served = serveNext(turns, entries); served; served = serveNext(turns, entries)) continue;
    },
    length: (tool) => (tool === undefined ? entries.size : [...entries].filter((each) => each.tool === tool).length),
    clear: (error) => {
      for (const entry of entries) entry.settle(error());
    },
  };
}

/** Serves one call of the owner whose turn was longest ago and for whom there is a place; false when nobody fits. */
function serveNext(turns: Set<string>, entries: ReadonlySet<Entry>): boolean {
  const waiting = new Map<string, Entry[]>();
  for (const entry of entries) {
    const own = waiting.get(entry.owner);
    if (own === undefined) waiting.set(entry.owner, [entry]);
    else own.push(entry);
  }
  for (const owner of turns) if (!waiting.has(owner)) turns.delete(owner);
  // Who has never been served comes first.
  const fresh = [...waiting.keys()].filter((owner) => !turns.has(owner));
  for (const owner of [...fresh, ...turns]) {
    const next = waiting.get(owner)?.find((entry) => entry.tryTake());
    if (next === undefined) continue;
    turns.delete(owner);
    turns.add(owner);
    next.settle();
    return true;
  }
  return false;
}

function cancelled(): SallyportError {
  return new SallyportError('ERR_RUN_CANCELLED', 'The call was withdrawn while it waited for a place.');
}
