import type { Clock } from '../../../src/core/clock.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import type { Recorder } from '../../../src/core/metrics/table.ts';
import {
  type Admission,
  createGate,
  type Gate,
  type GateLimits,
  type ProcessLimits,
} from '../../../src/core/resilience/gate.ts';

export const LIMITS: GateLimits = {
  concurrency: 1,
  maxQueued: 2,
  breakerFailures: 3,
  breakerOpenMs: 1000,
  breakerMaxOpenMs: 4000,
};

/** A clock that stands until it is told to go. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export interface Rig {
  readonly gate: Gate;
  readonly clock: TestClock;
  /** Every count and gauge in order, as `name{labels} value`. */
  readonly recorded: string[];
  /** A call whose end the test decides. */
  readonly call: (tool?: string, signal?: AbortSignal) => Call;
}

export interface Call {
  readonly result: Promise<string>;
  readonly hasStarted: () => boolean;
  readonly succeed: () => void;
  readonly fail: (error?: SallyportError) => void;
}

const none = () => undefined;
export const never = new AbortController().signal;
export const broken = () => new SallyportError('ERR_TOOL_UNAVAILABLE', 'broken');

/** Lets everything that is ready happen. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export function makeRig(
  options: { tools?: Record<string, Partial<GateLimits>>; process?: Partial<ProcessLimits>; random?: number } = {},
): Rig {
  let ms = 1000;
  const recorded: string[] = [];
  const note = (name: string, labels: object, value = 1) =>
    void recorded.push(`${name}${JSON.stringify(labels)} ${value}`);
  const recorder: Recorder = { count: note, gauge: note, observe: note };
  const clock = { now: () => 1_000_000 + ms, monotonic: () => ms, advance: (by: number) => void (ms += by) };
  const gate = createGate({
    tools: new Map(
      Object.entries(options.tools ?? { a: {}, b: {} }).map(([name, own]) => [name, { ...LIMITS, ...own }]),
    ),
    process: { maxConcurrentRuns: 10, maxQueuedRuns: 10, maxQueueWaitMs: 60_000, ...options.process },
    clock,
    recorder,
    log: { info: none, warn: none, error: none },
    random: () => options.random ?? 0,
  });
  const call = (tool = 'a', signal: AbortSignal = never): Call => {
    const end = Promise.withResolvers<string>();
    let started = false;
    const result = enter(gate, { tool, signal }, () => {
      started = true;
      return end.promise;
    });
    result.catch(none);
    end.promise.catch(none);
    return {
      result,
      hasStarted: () => started,
      succeed: () => end.resolve('done'),
      fail: (error = broken()) => end.reject(error),
    };
  };
  return { gate, clock, recorded, call };
}

/** A call of one owner from its admission to its end. */
export async function enter<T>(
  gate: Gate,
  { tool, signal = never, owner = 'owner' }: { tool: string; signal?: AbortSignal; owner?: string },
  work: (admission: Admission) => Promise<T>,
): Promise<T> {
  return gate.admit(tool, { signal, owner }).run(work);
}

/** Runs calls that fail until the circuit of the tool is open. */
export async function breakCircuit(rig: Rig, times = LIMITS.breakerFailures): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    const failing = rig.call();
    await settle();
    failing.fail();
    await failing.result.catch(() => undefined);
  }
}
