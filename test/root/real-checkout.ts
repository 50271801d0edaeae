import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findGateway } from '../../src/cli/gateway-process.ts';
import { type Ended, ended, ROOT } from '../cli/command-line.ts';

/** For `skip`: these tests start as root what must not stay root. */
export const NEEDS_ROOT = process.geteuid?.() === 0 ? false : 'needs root';

const COPIED = ['sallyport', 'deploy', 'src', 'schemas', 'plugins', 'package.json', 'package-lock.json'];

const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/root',
  SALLYPORT_PORT: '0',
};

/** A checkout of its own that is ready to start, with the real toolchain, as root has it after `git clone`. */
export interface RealCheckout {
  /** The directory that holds it and nothing else. */
  readonly parent: string;
  readonly dataDir: string;
  readonly run: (args: readonly string[], environment?: Readonly<Record<string, string>>) => Promise<Ended>;
  /** The gateway that runs now. */
  readonly pid: () => number;
}

/** Copies this checkout below a new directory of this mode; all of it, and its gateway, goes with the test. */
export function copyCheckout(t: TestContext, mode = 0o755): RealCheckout {
  // Hooks run in the order of their registration: the gateway must end before its directory goes.
  const place: { end?: () => Promise<void> } = {};
  t.after(() => place.end?.());
  const parent = directory(t, mode);
  const root = join(parent, 'check out');
  mkdirSync(join(root, '.toolchain'), { recursive: true });
  for (const name of COPIED) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  for (const name of ['node_modules', '.toolchain/node_modules', '.toolchain/stamp']) {
    symlinkSync(realpathSync(join(ROOT, name)), join(root, name));
  }
  const dataDir = join(root, 'data');
  const run = (args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    ended(
      spawn(join(root, 'sallyport'), args, {
        cwd: parent,
        env: { ...ENVIRONMENT, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  const pid = (): number => {
    const gateway = findGateway(dataDir);
    if (gateway === undefined) throw new Error('no gateway runs');
    return gateway.pid;
  };
  place.end = async () => {
    if (findGateway(dataDir) !== undefined) process.kill(pid(), 'SIGKILL');
    while (findGateway(dataDir) !== undefined) await delay(20);
    removeGroups(dataDir);
  };
  return { parent, dataDir, run, pid };
}

/** A new directory with this mode that goes with the test. */
export function directory(t: TestContext, mode = 0o755): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-root-')));
  chmodSync(path, mode);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Control groups stay until the next boot, for the next start; these have none. */
function removeGroups(dataDir: string): void {
  const name = `sallyport-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  spawnSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`, '-exec', 'rmdir', '{}', ';']);
}

/** Fields of `/proc/<pid>/status`. */
export function statusOf(pid: number): Readonly<Record<string, string>> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
}
