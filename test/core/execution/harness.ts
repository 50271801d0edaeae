import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { createExecutor, type ExecutorOptions } from '../../../src/core/execution/executor.ts';
import type { Command, Execution, ExecutionLimits, Executor } from '../../../src/core/execution/types.ts';
import type { Log } from '../../../src/core/log.ts';

const FAKE_TOOLS = fileURLToPath(new URL('../../fixtures/bin/', import.meta.url));
/** True when tools get user ids of their own in these tests. */
export const isRoot = process.geteuid?.() === 0;
/** True in the inner pass of the root run, as nobody. */
export const isInner = process.env['SALLYPORT_TEST_INNER'] === '1';
export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Bench {
  readonly executor: Executor;
  readonly scratchParent: string;
  /** Directory that every user may enter; the fake tools are in `bin`. */
  readonly directory: string;
  /** Runs one command and gives its output beside its end. */
  readonly run: (command: Partial<Omit<Command, 'limits'>> & { limits?: Partial<ExecutionLimits> }) => Promise<Ran>;
  readonly fake: (name: string) => string;
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

/** A directory of this test alone that tool users may enter; removed afterwards. */
export function publicDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  chmodSync(directory, 0o755);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An executor of this test alone, with the fake tools where its tool users can reach them. */
export async function startBench(t: TestContext, overrides: Partial<ExecutorOptions> = {}): Promise<Bench> {
  const directory = publicDirectory(t);
  for (const name of readdirSync(FAKE_TOOLS)) {
    copyFileSync(join(FAKE_TOOLS, name), join(directory, name));
    chmodSync(join(directory, name), 0o755);
  }
  const scratchParent = overrides.scratchParent ?? join(directory, 'scratch');
  const executor = await createExecutor({
    clock: systemClock,
    log: silent,
    scratchParent,
    uidBase: 64_200,
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
    run: (command) => collect(executor, command),
  };
}

/** Runs a command and keeps its output. */
export async function collect(
  executor: Executor,
  command: Parameters<Bench['run']>[0],
  signal: AbortSignal = new AbortController().signal,
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
      ...command,
      limits: { ...LIMITS, ...command.limits },
    },
    {
      onStdout: (chunk) => {
        out += chunk.toString('latin1');
      },
      onStderr: (chunk) => {
        err += chunk.toString('latin1');
      },
      signal,
    },
  );
  return { ...execution, out, err };
}
