import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

/** The checkout under test. */
export const ROOT = dirname(dirname(import.meta.dirname));

/** How one command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start one command; the environment replaces ours, except for what finds programs. */
export interface Start {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A new directory that goes with the test. */
export function temporaryDirectory(t: TestContext, name = 'sallyport cli '): string {
  const path = mkdtempSync(join(tmpdir(), name));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts the command line in a process of its own, as the launcher does. */
export function startCli(args: readonly string[], { environment = {}, cwd = tmpdir() }: Start = {}): ChildProcess {
  return spawn(process.execPath, ['--disable-sigusr1', join(ROOT, 'src', 'cli', 'main.ts'), ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the command line to its end. */
export function runCli(args: readonly string[], start: Start = {}): Promise<Ended> {
  return ended(startCli(args, start));
}

/** What a started process printed and how it ended. */
export function ended(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') }),
    );
  });
}
