import type { WebhookMessage } from './types.ts';

/** One message on its way to one URL. */
export interface Delivery {
  readonly message: WebhookMessage;
  /** By the clock that never goes back. */
  readonly firstAt: number;
  /** Attempts that failed. */
  failures: number;
  timer?: NodeJS.Timeout;
}

/** The deliveries of one URL: it may be slow or dead without another one noticing. */
export interface Lane {
  /** Adds one at the end; answers the oldest waiting one that had to go for it. */
  add(delivery: Delivery): Delivery | undefined;
  /** Takes the next one when there is room for another attempt. */
  begin(): Delivery | undefined;
  /** An attempt is over; the delivery is gone, or waits on for its timer. */
  end(delivery: Delivery, again: boolean): void;
  /** Puts one whose timer has run out in line. */
  retry(delivery: Delivery): void;
  /** Forgets what waits; answers how much that was. */
  clear(): number;
  readonly size: number;
}

/** Messages of one URL that wait at most: a dead receiver must not fill the memory. */
export const MAX_WAITING = 500;
const MAX_ATTEMPTS_AT_ONCE = 4;

/** Makes an empty lane. */
export function createLane(): Lane {
  const inLine: Delivery[] = [];
  /** In the order in which they were added. */
  const waiting = new Set<Delivery>();
  let going = 0;
  const drop = (delivery: Delivery | undefined) => {
    if (delivery === undefined) return undefined;
    clearTimeout(delivery.timer);
    waiting.delete(delivery);
    const at = inLine.indexOf(delivery);
    if (at >= 0) inLine.splice(at, 1);
    return delivery;
  };
  return {
    add: (delivery) => {
      const dropped = waiting.size >= MAX_WAITING ? drop(waiting.values().next().value) : undefined;
      waiting.add(delivery);
      inLine.push(delivery);
      return dropped;
    },
    begin: () => {
      if (going >= MAX_ATTEMPTS_AT_ONCE) return undefined;
      const next = inLine.shift();
      if (next === undefined) return undefined;
      going += 1;
      waiting.delete(next);
      return next;
    },
    end: (delivery, again) => {
      going -= 1;
      if (again) waiting.add(delivery);
    },
    retry: (delivery) => {
      if (waiting.has(delivery)) inLine.push(delivery);
    },
    clear: () => {
      const { size } = waiting;
      for (const delivery of waiting) drop(delivery);
      return size;
    },
    get size() {
      return waiting.size + going;
    },
  };
}
