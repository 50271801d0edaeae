import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ChainStatus, createStatusReader } from './status-lines.ts';
import { within } from '../within.ts';

/** Times that the quiet time is waited for at most. */
const DRAIN_ROUNDS = 3;

/** One process to start: an absolute program, an array, an environment from scratch. There is no shell line. */
export interface ProcessSpec {
  /** First element: absolute path of the program. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: ProcessInput;
  /** Hands the process descriptor 3, a socket to us: it ends everything when that closes, and tells its status there. */
  readonly hasLifeline: boolean;
  /** Descriptors of our own process that are not close-on-exec. */
  readonly strayDescriptors: readonly number[];
  /** What returns a promise gets nothing more of this stream until it has settled. */
  onStdout(chunk: Buffer): Promise<void> | void;
  onStderr(chunk: Buffer): Promise<void> | void;
}

/** `text` goes through a pipe, `descriptor` is handed over as it is; without either it reads the end at once. */
export type ProcessInput = { readonly text: string } | { readonly descriptor: number } | undefined;

/** A running process. */
export interface StartedProcess {
  readonly pid: number;
  /** Settles when the process itself ended, whatever its children do. */
  readonly exited: Promise<{ readonly exitCode: number | null; readonly signal: string | null }>;
  /**
   * Waits until both streams ended, or until nothing came for `quietMs`, then lets go of them. False when bytes still
   * came after three times that: somebody writes on.
   */
  drain(quietMs: number): Promise<boolean>;
  /** Closes the lifeline: its supervisor ends every process of the tree. Without one nothing happens. */
  cut(): void;
  /** What the chain said of itself until now; whole once `exited` has settled and the lifeline has ended. */
  status(): ChainStatus;
}

/** Descriptor of the lifeline in the chain. */
const LIFELINE = 3;
/** How long the last status line may take after the exit; it was written before, so it is there at once. */
const STATUS_MS = 1000;

/** Starts a process as leader of a session of its own. Rejects with the error of the system call. */
export async function startProcess(spec: ProcessSpec): Promise<StartedProcess> {
  // fork(2) copies our page tables and stalls everybody's request: what led here must not lengthen that stall.
  await nextTurn();
  const devNull = openSync('/dev/null', 'r');
  let child: ChildProcess;
  try {
    child = spawnChild(spec, devNull);
  } finally {
    closeSync(devNull);
  }
  const lifeline = holdLifeline(child, spec);
  const ended = new Promise<{ exitCode: number | null; signal: string | null }>((resolve) => {
    child.on('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const exited = ended.then(async (exit) => {
    await lifeline.ended();
    return exit;
  });
  const drain = follow(child, spec);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.on('error', reject);
  });
  if (spec.stdin !== undefined && 'text' in spec.stdin) child.stdin?.end(spec.stdin.text);
  return { pid: child.pid ?? 0, exited, drain, cut: lifeline.cut, status: lifeline.status };
}

function spawnChild(spec: ProcessSpec, devNull: number): ChildProcess {
  const [program = '', ...args] = spec.argv;
  const { stdin } = spec;
  const stdio: ('pipe' | 'ignore' | number)[] = [
    stdin === undefined ? 'ignore' : 'text' in stdin ? 'pipe' : stdin.descriptor,
    'pipe',
    'pipe',
  ];
  // Attack: a descriptor that our own parent left open would reach the tool; `ignore` above 2 leaves it as it is.
  for (const stray of spec.strayDescriptors) {
    while (stdio.length < stray) stdio.push('ignore');
    stdio[stray] = devNull;
  }
  if (spec.hasLifeline) stdio[LIFELINE] = 'pipe';
  return spawn(program, args, {
    cwd: spec.cwd,
    // Node.js adds this one from its own environment unless the key is there.
    env: { ...spec.env, NODE_V8_COVERAGE: undefined },
    stdio,
    shell: false,
    detached: true,
  });
}

interface Lifeline {
  readonly cut: () => void;
  readonly status: () => ChainStatus;
  readonly ended: () => Promise<void>;
}

function holdLifeline(child: ChildProcess, { hasLifeline }: ProcessSpec): Lifeline {
  const reader = createStatusReader();
  const socket = hasLifeline ? (child.stdio[LIFELINE] as Socket | null | undefined) : undefined;
  if (socket === undefined || socket === null) {
    return { cut: () => undefined, status: () => reader.read(), ended: () => Promise.resolve() };
  }
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('data', (chunk: Buffer) => reader.take(chunk));
  socket.on('error', () => undefined); // the chain ended first: its exit tells
  // Half-closing is what cuts: the supervisor reads the end, and its last line still reaches us.
  const cut = () => void socket.end();
  const ended = async () => {
    await within(closed, STATUS_MS);
    socket.destroy();
  };
  return { cut, status: () => reader.read(), ended };
}

function follow(child: ChildProcess, spec: ProcessSpec): (quietMs: number) => Promise<boolean> {
  let chunks = 0;
  /** Settles when the listeners have taken what they were given. */
  let taken: Promise<unknown> = Promise.resolve();
  const take = (stream: Readable | null, listener: (chunk: Buffer) => Promise<void> | void) =>
    stream?.on('data', (chunk: Buffer) => {
      chunks += 1;
      const busy = listener(chunk);
      if (busy === undefined) return;
      stream.pause();
      const goOn = () => void stream.resume();
      taken = Promise.all([taken, busy.then(goOn, goOn)]);
    });
  const streams = [child.stdout, child.stderr].flatMap((stream) => (stream === null ? [] : [stream]));
  const closed = Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  take(child.stdout, (chunk) => spec.onStdout(chunk));
  take(child.stderr, (chunk) => spec.onStderr(chunk));
  // A reader that went away (EPIPE, ECONNRESET) is the tool's business; its exit tells.
  for (const stream of [child.stdin, ...streams]) stream?.on('error', () => undefined);
  return async (quietMs) => {
    let before = -1;
    // Attack: a survivor that writes a byte now and then would hold the run for ever; the rounds are counted.
    for (
      let round = 0;
      round < DRAIN_ROUNDS && before !== chunks && !streams.every(({ closed }) => closed);
      round += 1
    ) {
      // What our own listeners hold up is not silence.
      await taken;
      before = chunks;
      await Promise.race([closed, sleep(quietMs, undefined, { ref: false })]);
    }
    const isQuiet = before === chunks || streams.every((stream) => stream.closed);
    // A survivor may hold the pipe for ever; we do not wait for it.
    for (const stream of [child.stdin, ...streams]) stream?.destroy();
    return isQuiet;
  };
}
