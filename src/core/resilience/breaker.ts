import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { type CircuitName, createCircuit } from './policies.ts';

/** When a circuit opens and for how long. */
export interface BreakerLimits {
  /** Consecutive failures that open the circuit. */
  readonly breakerFailures: number;
  /** First time it stays open, milliseconds; doubles at each failed probe. */
  readonly breakerOpenMs: number;
  /** Longest time it stays open, milliseconds. */
  readonly breakerMaxOpenMs: number;
}

/** How a circuit stands. */
export interface BreakerState {
  readonly state: CircuitName;
  readonly failures: number;
  /** Milliseconds since the epoch; only while open. */
  readonly openUntil?: number;
  /** Milliseconds until a call may try again; only while not closed. 0: the next call is the probe. */
  readonly retryAfterMs?: number;
}

/** One change of a circuit. */
export interface BreakerChange {
  readonly from: CircuitName;
  readonly to: CircuitName;
}

export interface BreakerOptions {
  readonly tool: string;
  readonly clock: Clock;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
  /** Asked each time, so that a reload of the configuration applies. */
  readonly limits: () => BreakerLimits;
  readonly onChange: (change: BreakerChange) => void;
}

/** Circuit breaker of one tool. */
export interface Breaker {
  /** Throws ERR_TOOL_CIRCUIT_OPEN with the time to wait when a call would be refused now. */
  assertAdmits(): void;
  /** Runs the work under the breaker's eyes; its result or error comes out unchanged. */
  run<T>(work: () => Promise<T>): Promise<T>;
  state(): BreakerState;
}

/** What one call says about the tool. Only a result is a success: whatever else a client brought about says nothing. */
type Verdict = 'success' | 'failure' | 'nothing';

class VerdictSignal extends Error {
  readonly trips: boolean;
  constructor(trips: boolean) {
    super('verdict');
    this.trips = trips;
  }
}

/** Makes a breaker with one probe at a time, exponential back-off and jitter. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { clock } = options;
  const track = createTrack(options);
  const circuit = createCircuit({
    limit: () => options.limits().breakerFailures,
    trips: (thrown) => thrown instanceof VerdictSignal && thrown.trips,
    onChange: (to) => track.moveTo(to),
  });
  const assertAdmits = (): void => {
    const retryAfterMs = track.remainingMs();
    if (retryAfterMs <= 0) return;
    throw new SallyportError('ERR_TOOL_CIRCUIT_OPEN', `${options.tool} failed repeatedly and is given a rest.`, {
      retryAfterMs,
    });
  };
  return {
    assertAdmits,
    async run(work) {
      assertAdmits();
      let settled: PromiseSettledResult<Awaited<ReturnType<typeof work>>> | undefined;
      const watched = circuit.execute(async () => {
        const startedIn = track.epoch();
        // Inside an async function: a work that throws before its promise must be judged like any other.
        [settled] = await Promise.allSettled([(async () => work())()]);
        track.judge(verdictOf(settled), startedIn);
      });
      await watched.catch((thrown: unknown) => {
        if (!(thrown instanceof VerdictSignal)) throw thrown;
      });
      if (settled?.status === 'fulfilled') return settled.value;
      throw settled?.reason;
    },
    state: () => {
      const { failures, state } = circuit;
      if (state === 'closed') return { state, failures };
      const retryAfterMs = Math.ceil(track.remainingMs());
      return { state, failures, retryAfterMs, ...(state === 'open' ? { openUntil: clock.now() + retryAfterMs } : {}) };
    },
  };
}

/** Follows the circuit through time: when it opened, when it may be tried, which calls still count. */
interface Track {
  /** Number of the present state; a call that started in another one says nothing about this one. */
  epoch(): number;
  moveTo(to: CircuitName): void;
  remainingMs(): number;
  /** Throws the signal that tells the circuit what the call meant. */
  judge(verdict: Verdict, startedIn: number): void;
}

function createTrack(options: BreakerOptions): Track {
  const { clock, limits } = options;
  let epoch = 0;
  let current: CircuitName = 'closed';
  let openings = 0;
  let dueAt = 0;
  let isProbeReleased = false;
  return {
    epoch: () => epoch,
    moveTo(to) {
      const from = current;
      current = to;
      epoch += 1;
      if (to === 'closed') openings = 0;
      // A probe that told nothing leaves the circuit due: the next call is a probe again, without a longer wait.
      if (to === 'open' && !isProbeReleased) {
        openings += 1;
        dueAt = clock.monotonic() + openTime(options, openings);
      }
      isProbeReleased = false;
      options.onChange({ from, to });
    },
    remainingMs() {
      if (current === 'closed') return 0;
      return current === 'half_open' ? limits().breakerOpenMs : Math.max(0, dueAt - clock.monotonic());
    },
    judge(verdict, startedIn) {
      // A race that made a circuit lie: a call from before the opening ends during the probe and closes or opens the circuit.
      if (startedIn !== epoch) throw new VerdictSignal(false);
      if (verdict === 'success') return;
      isProbeReleased = current === 'half_open' && verdict === 'nothing';
      throw new VerdictSignal(verdict === 'failure' || isProbeReleased);
    },
  };
}

function verdictOf(settled: PromiseSettledResult<unknown>): Verdict {
  if (settled.status === 'fulfilled') return 'success';
  return settled.reason instanceof SallyportError && settled.reason.trips ? 'failure' : 'nothing';
}

function openTime({ limits, random }: BreakerOptions, openings: number): number {
  const { breakerOpenMs, breakerMaxOpenMs } = limits();
  const full = Math.min(breakerOpenMs * 2 ** (openings - 1), breakerMaxOpenMs);
  // Only ever shorter, by up to a fifth: tools that broke together are not all tried again together, and the top holds.
  return full * (1 - 0.2 * random());
}
