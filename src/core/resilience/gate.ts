import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { type Breaker, type BreakerLimits, type BreakerState, createBreaker } from './breaker.ts';
import type { CircuitName } from './policies.ts';
import { createSeats, type Seats } from './seats.ts';
import { createWaitingLine, type WaitingLine } from './waiting-line.ts';

const GAUGE: Readonly<Record<CircuitName, number>> = { closed: 0, half_open: 1, open: 2 };
const FIRST_ESTIMATE_MS = 1000;
const LONGEST_ESTIMATE_MS = 300_000;
/** Weight of the newest duration in the mean. */
const FRESHNESS = 0.2;

/** Limits of one tool. */
export interface GateLimits extends BreakerLimits {
  /** Runs of the tool at once. */
  readonly concurrency: number;
  /** Calls of the tool that may wait. */
  readonly maxQueued: number;
}

/** Limits over all tools. */
export interface ProcessLimits {
  readonly maxConcurrentRuns: number;
  readonly maxQueuedRuns: number;
  readonly maxQueueWaitMs: number;
}

export interface GateOptions {
  readonly tools: ReadonlyMap<string, GateLimits>;
  readonly process: ProcessLimits;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  /** Source of jitter, 0 ≤ value < 1. */
  readonly random: () => number;
}

/** What a call learns when it gets its place. */
export interface Admission {
  readonly queuedMs: number;
}

/** How full a tool is and how its circuit stands. */
export interface GateState {
  readonly active: number;
  readonly queued: number;
  readonly breaker: BreakerState;
}

/** Room, circuit and time of every tool: the last door before a process starts. */
export interface Gate {
  /**
   * Runs the work when there is a place. Throws ERR_TOOL_CIRCUIT_OPEN (before it would wait, and again when the place
   * is got), ERR_TOOL_BUSY, ERR_RUN_CANCELLED, ERR_SHUTTING_DOWN, or what the work throws.
   */
  enter<T>(tool: string, call: { signal: AbortSignal }, work: (admission: Admission) => Promise<T>): Promise<T>;
  /** Throws ERR_TOOL_CIRCUIT_OPEN when a call would be refused by the circuit now. */
  check(tool: string): void;
  state(tool: string): GateState;
  /** Applies new limits without touching what runs or waits; an unknown tool is added. */
  reconfigure(tool: string, limits: GateLimits): void;
  reconfigureProcess(limits: ProcessLimits): void;
  /** Called after each change of a circuit. Returns the way to stop listening. */
  onChange(listener: (tool: string) => void): () => void;
  /** Refuses whoever waits and whoever comes. */
  close(): void;
}

/** Makes the gate for the given tools. */
export function createGate(options: GateOptions): Gate {
  const { clock, recorder } = options;
  const listeners = new Set<(tool: string) => void>();
  const entries = new Map<string, Entry>();
  const everywhere = createSeats(options.process.maxConcurrentRuns);
  let processLimits = options.process;
  let isClosed = false;
  const add = (tool: string, limits: GateLimits) =>
    void entries.set(tool, createEntry(options, { tool, limits, listeners }));
  for (const [tool, limits] of options.tools) add(tool, limits);
  const line = createWaitingLine({
    clock,
    maxWaitMs: () => processLimits.maxQueueWaitMs,
    mayWait: (tool) =>
      line.length() < processLimits.maxQueuedRuns && line.length(tool) < find(entries, tool).limits.maxQueued,
    onChange: (tool) => recorder.gauge('sallyport_queue_depth', { tool }, line.length(tool)),
  });
  return {
    async enter(tool, { signal }, work) {
      if (isClosed) throw shuttingDown();
      return enter({ ...options, entry: find(entries, tool), everywhere, line }, signal, work);
    },
    check: (tool) => find(entries, tool).breaker.assertAdmits(),
    state: (tool) => {
      const { seats, breaker } = find(entries, tool);
      return { active: seats.active, queued: line.length(tool), breaker: breaker.state() };
    },
    reconfigure: (tool, limits) => {
      const entry = entries.get(tool);
      if (entry === undefined) return add(tool, limits);
      entry.limits = limits;
      entry.seats.resize(limits.concurrency);
      line.pump();
    },
    reconfigureProcess: (limits) => {
      processLimits = limits;
      everywhere.resize(limits.maxConcurrentRuns);
      line.pump();
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      isClosed = true;
      line.clear(shuttingDown);
    },
  };
}

interface Entry {
  readonly tool: string;
  limits: GateLimits;
  readonly seats: Seats;
  readonly breaker: Breaker;
  meanMs: number;
}

interface Passage extends GateOptions {
  readonly entry: Entry;
  readonly everywhere: Seats;
  readonly line: WaitingLine;
}

async function enter<T>(passage: Passage, signal: AbortSignal, work: (admission: Admission) => Promise<T>): Promise<T> {
  const { entry, everywhere, line, recorder } = passage;
  const { tool, seats, breaker } = entry;
  breaker.assertAdmits();
  const queuedMs = await line.wait({
    tool,
    signal,
    tryTake: () => tryTake(passage),
    busy: () => tooBusy(entry, line.length(tool)),
  });
  try {
    recorder.observe('sallyport_queue_wait_seconds', { tool }, queuedMs / 1000);
    // The place may have come in the same turn as the withdrawal.
    if (signal.aborted) throw new SallyportError('ERR_RUN_CANCELLED', 'The call was withdrawn.');
    // The breaker asks again inside `run`: the circuit may have opened while the call waited.
    return await everywhere.use(() => seats.use(() => breaker.run(() => timed(passage, () => work({ queuedMs })))));
  } finally {
    everywhere.release();
    seats.release();
    recorder.gauge('sallyport_runs_active', { tool }, seats.active);
    line.pump();
  }
}

function tryTake({ entry, everywhere, recorder }: Passage): boolean {
  if (!everywhere.hasRoom() || !entry.seats.hasRoom()) return false;
  everywhere.reserve();
  entry.seats.reserve();
  recorder.gauge('sallyport_runs_active', { tool: entry.tool }, entry.seats.active);
  return true;
}

interface EntryRequest {
  readonly tool: string;
  readonly limits: GateLimits;
  readonly listeners: ReadonlySet<(tool: string) => void>;
}

function createEntry({ clock, random, recorder, log }: GateOptions, request: EntryRequest): Entry {
  const { tool, limits, listeners } = request;
  const entry: Entry = {
    tool,
    limits,
    meanMs: FIRST_ESTIMATE_MS,
    seats: createSeats(limits.concurrency),
    breaker: createBreaker({
      tool,
      clock,
      random,
      limits: () => entry.limits,
      onChange: ({ from, to }) => {
        recorder.gauge('sallyport_breaker_state', { tool }, GAUGE[to]);
        recorder.count('sallyport_breaker_transitions_total', { tool, from, to });
        log.warn('breaker.changed', { tool, from, to });
        for (const listener of listeners) listener(tool);
      },
    }),
  };
  recorder.gauge('sallyport_breaker_state', { tool }, GAUGE.closed);
  recorder.gauge('sallyport_queue_depth', { tool }, 0);
  recorder.gauge('sallyport_runs_active', { tool }, 0);
  return entry;
}

function find(entries: ReadonlyMap<string, Entry>, tool: string): Entry {
  const entry = entries.get(tool);
  if (entry === undefined) throw new SallyportError('ERR_TOOL_UNKNOWN', 'There is no tool of this name.');
  return entry;
}

async function timed<T>({ entry, clock }: Passage, work: () => Promise<T>): Promise<T> {
  const startedAt = clock.monotonic();
  try {
    return await work();
  } finally {
    entry.meanMs += FRESHNESS * (clock.monotonic() - startedAt - entry.meanMs);
  }
}

function tooBusy({ tool, limits, meanMs }: Entry, queued: number): SallyportError {
  const rounds = Math.ceil((queued + 1) / limits.concurrency);
  const retryAfterMs = Math.min(LONGEST_ESTIMATE_MS, Math.max(FIRST_ESTIMATE_MS, Math.ceil(rounds * meanMs)));
  return new SallyportError('ERR_TOOL_BUSY', `Every place of ${tool} is taken.`, { retryAfterMs });
}

function shuttingDown(): SallyportError {
  return new SallyportError('ERR_SHUTTING_DOWN', 'The gateway is stopping.');
}
