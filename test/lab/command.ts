import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Daemons and iproute2 live where an ordinary user's PATH does not look. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` };

/** Runs a program to its end and answers its standard output. Rejects when it fails. */
export async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  const running = execute(program, [...args], {
    maxBuffer: 16 * 1_048_576,
    timeout: 60_000,
    env: ENVIRONMENT,
  });
  // A program that ends without reading its input breaks the pipe; its exit code says what matters.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(input ?? '');
  return (await running).stdout;
}

/** How a program ended that was allowed to fail. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program inside a namespace, whatever its exit code. */
export async function runInside(namespace: string, argv: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      'ip',
      ['netns', 'exec', namespace, ...argv],
      { maxBuffer: 16 * 1_048_576, timeout: 60_000, env: ENVIRONMENT },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
    child.stdin?.end();
  });
}

/** A program that stays. */
export interface Start {
  readonly argv: readonly string[];
  /** File that takes standard output and standard error. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program that stays, where this one is. */
export function start({ argv: [program = '', ...args], log, env }: Start): ChildProcess {
  const output = openSync(log, 'a');
  try {
    return spawn(program, args, { stdio: ['ignore', output, output], env: { ...ENVIRONMENT, ...env } });
  } finally {
    closeSync(output);
  }
}

/** Starts a program that stays, inside a namespace. `ip netns exec` replaces itself, so the pid is the program's. */
export function startInside({ namespace, ...rest }: Start & { readonly namespace: string }): ChildProcess {
  return start({ ...rest, argv: ['ip', 'netns', 'exec', namespace, ...rest.argv] });
}

/** Polls until the condition holds; the deadline only ends a broken lab, it measures nothing. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, deadlineMs = 20_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`the lab waited in vain for ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 25);
    });
  }
}
