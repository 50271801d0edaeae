import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { createExecutor, type ExecutorOptions } from '../../../src/core/execution/executor.ts';
import { processEnvironment, processPlace } from '../../../src/core/execution/proc.ts';
import { removeTree } from '../../../src/core/execution/remove-tree.ts';
import type {
  Command,
  Execution,
  ExecutionLimits,
  Executor,
  LayerName,
  ToolNeeds,
} from '../../../src/core/execution/types.ts';
import type { Log } from '../../../src/core/log.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';

const FAKE_TOOLS = fileURLToPath(new URL('../../fixtures/bin/', import.meta.url));
/** The promise is 2 s; a busy machine gets 10 before a test says no, and the real time is printed. */
export const KILL_LIMIT_MS = 10_000;
/** A log that nobody reads. */
export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The combinations of layers that can be had everywhere, by what is switched off for them. */
export const COMBINATIONS: readonly { readonly name: string; readonly disable: readonly LayerName[] }[] = [
  { name: 'all layers', disable: [] },
  { name: 'without L3', disable: ['L3'] },
  { name: 'without L2', disable: ['L2'] },
  { name: 'L0 and L1 alone', disable: ['L2', 'L3'] },
];

/** Whoever calls what is to be done in the end: a test, or the whole file. */
export interface Lifetime {
  after(end: () => void | Promise<void>): void;
}

export interface Bench {
  readonly executor: Executor;
  readonly scratchParent: string;
  /** Directory that every user may enter; the fake tools are in `bin`. */
  readonly directory: string;
  /** Runs one command and gives its output beside its end. */
  readonly run: (command: Partial<Omit<Command, 'limits'>> & { limits?: Partial<ExecutionLimits> }) => Promise<Ran>;
  readonly fake: (name: string) => string;
  /** What scripts and the fake tools need. */
  readonly needs: ToolNeeds;
}

/** How a call is withdrawn, and who hears all output so far whenever something came. */
export interface Caller {
  readonly signal: AbortSignal;
  readonly onOutput?: (out: string) => unknown;
}

export interface Ran extends Execution {
  readonly out: string;
  readonly err: string;
}

let runs = 0;

/** Limits wide enough for every test that does not try one. */
export const LIMITS: ExecutionLimits = {
  stdoutBytes: 1_048_576,
  stderrBytes: 65_536,
  atStdoutCap: 'kill',
  fileBytes: 65_536,
  dataBytes: 268_435_456,
  addressSpaceBytes: 2_147_483_648,
};

/** Caps of a control group that no test meets by accident. */
export const CGROUP_LIMITS = { memoryBytes: 1_073_741_824, processes: 512, cpuPercent: 200 } as const;

/** What shell scripts and the fake tools stand on: the system's programs, and the accounts of their own process. */
export function scriptNeeds(directory: string): ToolNeeds {
  return { read: ['/usr', '/bin', '/etc', '/proc', directory], execute: ['/usr/bin', '/bin', directory] };
}

/** A directory of this test alone that tool users may enter; removed afterwards. */
export function publicDirectory(t: Lifetime): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  chmodSync(directory, 0o755);
  t.after(async () => {
    // A tool may have left what the ordinary removal cannot enter.
    if (!(await removeTree(directory))) rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A directory of this test alone with the fake tools in it. */
export function fakeTools(t: Lifetime): string {
  const directory = publicDirectory(t);
  for (const name of readdirSync(FAKE_TOOLS)) {
    copyFileSync(join(FAKE_TOOLS, name), join(directory, name));
    chmodSync(join(directory, name), 0o755);
  }
  return directory;
}

/** An executor of this test alone, with the fake tools where its tool users can reach them. */
export async function startBench(t: Lifetime, overrides: Partial<ExecutorOptions> = {}): Promise<Bench> {
  const directory = fakeTools(t);
  const scratchParent = overrides.scratchParent ?? join(directory, 'scratch');
  const executor = await createExecutor({
    clock: systemClock,
    log: silent,
    scratchParent,
    cgroupLimits: CGROUP_LIMITS,
    launcher: LAUNCHER_PLACE,
    places: 8,
    killGraceMs: 100,
    rawEnabled: false,
    ...overrides,
  });
  t.after(() => executor.close());
  return {
    executor,
    scratchParent,
    directory,
    fake: (name) => join(directory, name),
    needs: scriptNeeds(directory),
    run: (command) => collect(executor, { needs: scriptNeeds(directory), ...command }),
  };
}

/** A bench that the tests of one suite share, made before the first of them and removed after the last one. */
export function sharedBench(overrides: Partial<ExecutorOptions> = {}): () => Bench {
  const ends: (() => void | Promise<void>)[] = [];
  let bench: Bench | undefined;
  before(async () => {
    bench = await startBench({ after: (end) => void ends.unshift(end) }, overrides);
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return () => {
    if (bench === undefined) throw new Error('the bench is there once the tests run');
    return bench;
  };
}

/** Runs a command and keeps its output. */
export async function collect(
  executor: Executor,
  command: Parameters<Bench['run']>[0],
  { signal, onOutput }: Caller = { signal: new AbortController().signal },
): Promise<Ran> {
  let out = '';
  let err = '';
  runs += 1;
  const execution = await executor.run(
    {
      runId: `r${runs}`,
      binary: '/bin/true',
      argv: [],
      timeoutMs: 20_000,
      capability: 'none',
      needs: scriptNeeds('/bin'),
      reach: { endpoints: [] },
      ...command,
      limits: { ...LIMITS, ...command.limits },
    },
    {
      onStdout: (chunk) => {
        out += chunk.toString('latin1');
        onOutput?.(out);
      },
      onStderr: (chunk) => {
        err += chunk.toString('latin1');
      },
      signal,
    },
  );
  return { ...execution, out, err };
}

/**
 * Living processes of a test as they are seen from outside, whatever process table they themselves see: those whose
 * environment or arguments name its directory.
 */
export function living(directory: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && processPlace(pid) !== undefined && names(pid, directory));
}

function names(pid: number, directory: string): boolean {
  if (processEnvironment(pid).some((entry) => entry.startsWith(`HOME=${directory}/`))) return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${directory}/`);
  } catch {
    return false; // it ended meanwhile
  }
}

/** Waits until something holds, at most so long that a busy machine is not taken for a broken one. */
export async function until(holds: () => boolean, limitMs = 20_000): Promise<boolean> {
  for (const end = performance.now() + limitMs; !holds(); await delay(10)) {
    if (performance.now() > end) return false;
  }
  return true;
}
