import { type Bulkhead, createBulkhead } from './policies.ts';

/** Places to run in, of one tool or of the whole process; a bulkhead guards them. */
export interface Seats {
  readonly active: number;
  readonly places: number;
  hasRoom(): boolean;
  /** Takes a place; given back by `release`. */
  reserve(): void;
  /** Runs the work in the reserved place. */
  use<T>(work: () => Promise<T>): Promise<T>;
  release(): void;
  /** Running work keeps its place; a lower number applies as places become free. */
  resize(places: number): void;
}

/** Makes a number of places. */
export function createSeats(initial: number): Seats {
  let places = initial;
  let active = 0;
  let bulkhead: Bulkhead = createBulkhead(places);
  return {
    get active() {
      return active;
    },
    get places() {
      return places;
    },
    hasRoom: () => active < places,
    reserve: () => {
      active += 1;
    },
    use: (work) => bulkhead.execute(work),
    release: () => {
      active -= 1;
    },
    resize: (next) => {
      if (next === places) return;
      places = next;
      bulkhead = createBulkhead(next);
    },
  };
}
