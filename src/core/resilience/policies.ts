import { BulkheadPolicy, circuitBreaker, type CircuitBreakerPolicy, CircuitState, handleWhen } from 'cockatiel';

/** A hard limit on how many calls run at once; without a queue, so that a refused call never waits unseen. */
export interface Bulkhead {
  /** Runs the work, or rejects at once when every place is taken. */
  execute<T>(work: () => Promise<T>): Promise<T>;
  readonly freePlaces: number;
}

/** Makes a bulkhead of the given number of places. */
export function createBulkhead(places: number): Bulkhead {
  // cockatiel keeps the place of an aborted call in its queue until its turn comes; hence 0, our own queue stands before it.
  const policy = new BulkheadPolicy(places, 0);
  return {
    execute: (work) => policy.execute(work),
    get freePlaces() {
      return policy.executionSlots;
    },
  };
}

/** The three states of a circuit. */
export type CircuitName = 'closed' | 'half_open' | 'open';

/** A circuit without a clock: its owner decides when an open one may be tried again. */
export interface Circuit {
  readonly state: CircuitName;
  readonly failures: number;
  /** Runs the work; what `trips` says true to counts as failure. Moves an open circuit to half-open. */
  execute<T>(work: () => Promise<T>): Promise<T>;
}

const NAMES: Readonly<Record<CircuitState, CircuitName>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
};

export interface CircuitOptions {
  /** Consecutive failures that open the circuit, asked at each failure. */
  readonly limit: () => number;
  /** Whether something thrown counts. In half-open everything that does not count closes the circuit. */
  readonly trips: (thrown: unknown) => boolean;
  /** Called at each change, before the call that caused it settles. */
  readonly onChange: (to: CircuitName) => void;
}

/** Makes a circuit that opens after consecutive failures and closes after one success in half-open. */
export function createCircuit(options: CircuitOptions): Circuit {
  let failures = 0;
  const policy: CircuitBreakerPolicy = circuitBreaker(handleWhen(options.trips), {
    // cockatiel reads the wall clock, which may step back; the owner's monotonic clock decides, here it is always due.
    halfOpenAfter: Number.NEGATIVE_INFINITY,
    breaker: {
      state: undefined,
      success: () => {
        failures = 0;
      },
      failure: () => {
        failures += 1;
        return failures >= options.limit();
      },
    },
  });
  policy.onStateChange((state) => options.onChange(NAMES[state]));
  return {
    get state() {
      return NAMES[policy.state];
    },
    get failures() {
      return failures;
    },
    execute: (work) => policy.execute(work),
  };
}
