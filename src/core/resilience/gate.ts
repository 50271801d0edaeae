import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { type Breaker, type BreakerLimits, type BreakerState, createBreaker } from './breaker.ts';
import type { CircuitName } from './policies.ts';
import { createOwnerPlaces, type OwnerPlaces } from './owner-places.ts';
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
  /** Runs at once of one owner; absent: as many as there are places. */
  readonly maxConcurrentRunsPerOwner?: number;
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

/** Who asks for a place. */
export interface Admittee {
  readonly signal: AbortSignal;
  /** Principal id: owners take turns. */
  readonly owner: string;
  /** It was admitted before, in an earlier life: the line may be full, but it may not be turned away. */
  readonly isReturning?: boolean;
}

/** A place that is held or waited for. One of the two must be called. */
export interface Admitted {
  /**
   * Runs the work once the place is there, and gives it back. Rejects with ERR_TOOL_CIRCUIT_OPEN (the circuit may have
   * opened meanwhile), ERR_TOOL_BUSY, ERR_RUN_CANCELLED, ERR_SHUTTING_DOWN, or what the work throws.
   */
  run<T>(work: (admission: Admission) => Promise<T>): Promise<T>;
  /** Nothing will run after all. */
  leave(): void;
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
   * Takes a place, or a place in the line, at once. Throws ERR_TOOL_CIRCUIT_OPEN, ERR_TOOL_BUSY, ERR_RUN_CANCELLED or
   * ERR_SHUTTING_DOWN when there is none.
   */
  admit(tool: string, call: Admittee): Admitted;
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
  const owners = createOwnerPlaces(() => processLimits.maxConcurrentRunsPerOwner);
  let isClosed = false;
  const add = (tool: string, limits: GateLimits) =>
    void entries.set(tool, createEntry(options, { tool, limits, listeners }));
  for (const [tool, limits] of options.tools) add(tool, limits);
  const line = createWaitingLine({
    clock,
    maxWaitMs: () => processLimits.maxQueueWaitMs,
    mayWait: (tool, isFirst) => {
      const room = { all: processLimits.maxQueuedRuns, tool: find(entries, tool).limits.maxQueued };
      return mayWait(room, { all: line.length(), tool: line.length(tool), isFirst });
    },
    onChange: (tool) => recorder.gauge('sallyport_queue_depth', { tool }, line.length(tool)),
  });
  return {
    admit(tool, call) {
      if (isClosed) throw shuttingDown();
      return admit({ ...options, entry: find(entries, tool), everywhere, owners, line }, call);
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
    onChange: (listener) => listen(listeners, listener),
    close: () => {
      isClosed = true;
      line.clear(shuttingDown);
    },
  };
}

function listen<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

interface Waiting {
  readonly all: number;
  readonly tool: number;
}

/** Attack: a line full of somebody else's calls. Who has none in it may always wait with one, where anybody may. */
function mayWait(room: Waiting, waiting: Waiting & { readonly isFirst: boolean }): boolean {
  if (room.all === 0 || room.tool === 0) return false;
  return waiting.isFirst || (waiting.all < room.all && waiting.tool < room.tool);
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
  readonly owners: OwnerPlaces;
  readonly line: WaitingLine;
}

function admit(passage: Passage, call: Admittee): Admitted {
  const { entry, line } = passage;
  const { tool, breaker } = entry;
  breaker.assertAdmits();
  const left = new AbortController();
  const signal = AbortSignal.any([call.signal, left.signal]);
  const place = line.join({
    tool,
    owner: call.owner,
    signal,
    tryTake: () => tryTake(passage, call.owner),
    busy: () => tooBusy(entry, line.length(tool)),
    ...(call.isReturning === true ? { isReturning: true } : {}),
  });
  // Whoever runs hears of it there; until then a rejection must not be an unhandled one.
  place.catch(() => undefined);
  return {
    run: async (work) => use(passage, { queuedMs: await place, call }, work),
    leave: () => {
      // Twice would give somebody else's place away.
      if (left.signal.aborted) return;
      left.abort();
      place.then(
        () => giveBack(passage, call.owner),
        () => undefined,
      );
    },
  };
}

async function use<T>(
  passage: Passage,
  { queuedMs, call }: Admission & { readonly call: Admittee },
  work: (admission: Admission) => Promise<T>,
): Promise<T> {
  const { entry, everywhere, recorder } = passage;
  const { tool, seats, breaker } = entry;
  try {
    recorder.observe('sallyport_queue_wait_seconds', { tool }, queuedMs / 1000);
    // The place may have come in the same turn as the withdrawal.
    if (call.signal.aborted) throw new SallyportError('ERR_RUN_CANCELLED', 'The call was withdrawn.');
    // The breaker asks again inside `run`: the circuit may have opened while the call waited.
    return await everywhere.use(() => seats.use(() => breaker.run(() => timed(passage, () => work({ queuedMs })))));
  } finally {
    giveBack(passage, call.owner);
  }
}

function giveBack({ entry: { tool, seats }, everywhere, owners, line, recorder }: Passage, owner: string): void {
  owners.release(owner);
  everywhere.release();
  seats.release();
  recorder.gauge('sallyport_runs_active', { tool }, seats.active);
  line.pump();
}

function tryTake({ entry, everywhere, owners, recorder }: Passage, owner: string): boolean {
  if (!everywhere.hasRoom() || !entry.seats.hasRoom() || !owners.hasRoom(owner)) return false;
  owners.reserve(owner);
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
  return new SallyportError('ERR_TOOL_BUSY', `Every place of ${tool} that this caller may take is taken.`, {
    retryAfterMs,
  });
}

function shuttingDown(): SallyportError {
  return new SallyportError('ERR_SHUTTING_DOWN', 'The gateway is stopping.');
}
