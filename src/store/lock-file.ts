import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Value } from '@sinclair/typebox/value';
import { type LockHolder, LockHolderSchema } from '../../schemas/stored.ts';
import { SallyportError } from '../core/errors.ts';
import { writeNew } from './atomic-file.ts';

/** A lock that another process of another pid namespace holds counts as abandoned when it was not touched for so long. */
const FOREIGN_STALE_MS = 10_000;
const TOUCH_MS = 2000;
const RETRY_MS = 25;

/** A held lock. */
export interface Lock {
  release(): void;
}

/** How to wait for a lock. */
export interface LockOptions {
  /** What the lock stands for, to begin a sentence; default its path. */
  readonly what?: string;
  /** Milliseconds to wait for a living holder; 0: fail at once. */
  readonly waitMs: number;
  /** Milliseconds after which a holder that cannot be looked at (another container) counts as gone. */
  readonly foreignStaleMs?: number;
}

/**
 * Takes an exclusive lock between processes. A lock whose process has died is taken over. Throws ERR_STORE_UNAVAILABLE
 * with the holder's pid when it is held. Advisory: for our own processes, on a local file system.
 */
export async function acquireLock(path: string, options: LockOptions): Promise<Lock> {
  const mine = self();
  // Without /proc every holder would look dead and be taken over.
  if (mine.startTicks === '') throw unavailable('/proc cannot be read, so a lock cannot be judged.');
  const foreignStaleMs = options.foreignStaleMs ?? FOREIGN_STALE_MS;
  const started = performance.now();
  let watched = { sign: '', since: started, isTouched: false };
  while (!tryLink(path, mine)) {
    const now = performance.now();
    const state = look(path);
    if (state.sign !== watched.sign) watched = { sign: state.sign, since: now, isTouched: watched.sign !== '' };
    const isGone = state.kind === 'dead' || (state.kind === 'foreign' && now - watched.since >= foreignStaleMs);
    const isHeld = state.kind === 'alive' || (state.kind === 'foreign' && watched.isTouched);
    if (isGone) removeStale(path, state.sign);
    if ((isHeld && now - started >= options.waitMs) || now - started >= options.waitMs + 3 * foreignStaleMs) {
      throw unavailable(`${options.what ?? path} is in use by another process (pid ${state.pid}).`);
    }
    await delay(RETRY_MS);
  }
  return held(path, mine);
}

function unavailable(message: string): SallyportError {
  return new SallyportError('ERR_STORE_UNAVAILABLE', message);
}

function held(path: string, mine: LockHolder): Lock {
  const touch = setInterval(() => {
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // Removed by hand: the lock is lost, and nothing that this timer does can bring it back.
    }
  }, TOUCH_MS);
  touch.unref();
  return {
    release: () => {
      clearInterval(touch);
      // Only our own: after a take-over the file belongs to somebody else.
      if (read(path)?.nonce === mine.nonce) rmSync(path, { force: true });
    },
  };
}

/** The link appears with its whole content or not at all, so that nobody reads a half-written holder. */
function tryLink(path: string, holder: LockHolder): boolean {
  const temporary = `${path}.${holder.nonce}.tmp`;
  try {
    writeNew(temporary, JSON.stringify(holder));
    linkSync(temporary, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new SallyportError('ERR_STORE_UNAVAILABLE', `${path} cannot be created.`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}

type State = { readonly kind: 'free' | 'alive' | 'dead' | 'foreign'; readonly pid: number; readonly sign: string };

function look(path: string): State {
  const holder = read(path);
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (touched === undefined) return { kind: 'free', pid: 0, sign: '' };
  // Content that is no holder was not written by us: it is watched like a foreign one, then taken over.
  if (holder === undefined) return { kind: 'foreign', pid: 0, sign: `unreadable ${touched}` };
  const here = self();
  const sign = `${holder.nonce} ${touched}`;
  if (holder.bootId !== here.bootId) return { kind: 'dead', pid: holder.pid, sign };
  // In another container the same pid is another process: only the touch tells whether it lives.
  if (holder.pidNamespace !== here.pidNamespace) return { kind: 'foreign', pid: holder.pid, sign };
  const isAlive = startTicks(holder.pid) === holder.startTicks;
  return { kind: isAlive ? 'alive' : 'dead', pid: holder.pid, sign };
}

/**
 * Two processes may both find the same dead holder. Without the second lock the slower one would remove the lock that the
 * faster one has just taken.
 */
function removeStale(path: string, sign: string): void {
  const guard = `${path}.takeover`;
  const mine = self();
  if (!tryLink(guard, mine)) {
    const state = look(guard);
    if (state.kind === 'dead') rmSync(guard, { force: true });
    return;
  }
  try {
    if (look(path).sign === sign) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

function read(path: string): LockHolder | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Value.Check(LockHolderSchema, found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function self(): LockHolder {
  return {
    pid: process.pid,
    startTicks: startTicks(process.pid) ?? '',
    bootId: systemText('/proc/sys/kernel/random/boot_id'),
    pidNamespace: namespace(),
    nonce: randomBytes(8).toString('hex'),
  };
}

/** Field 22 of /proc/<pid>/stat (proc_pid_stat(5)); undefined when there is no such process. */
function startTicks(pid: number): string | undefined {
  const stat = systemText(`/proc/${pid}/stat`);
  // The command name, in parentheses, may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || stat === '' ? undefined : fields[19];
}

function systemText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
