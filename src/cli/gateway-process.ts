import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Value } from '@sinclair/typebox/value';
import { type LockHolder, LockHolderSchema } from '../../schemas/stored.ts';
import { processPlace } from '../core/execution/proc.ts';

/** What the gateway writes into its data directory, and what the command line adds. */
export const DATA_FILES = {
  pid: 'pid',
  address: 'address',
  firstKey: 'first-key',
  store: 'sallyport.db',
  log: 'log',
} as const;

/** The gateway that holds a data directory; undefined when none runs. */
export function findGateway(dataDir: string): LockHolder | undefined {
  const holder = parseJson(readIfThere(join(dataDir, DATA_FILES.pid)) ?? '');
  return Value.Check(LockHolderSchema, holder) && isRunning(holder) ? holder : undefined;
}

/** Whether it still runs. A pid that the kernel gave to another process since is not ours to signal. */
export function isRunning({ pid, startTicks, bootId }: LockHolder): boolean {
  return (
    processPlace(pid)?.startedAt === startTicks && readIfThere('/proc/sys/kernel/random/boot_id')?.trim() === bootId
  );
}

/**
 * Where the running gateway listens, as it wrote it once ready; undefined while it has not. The file of one that died
 * counts for nothing: whoever listens there now must not be sent a key.
 */
export function findAddress(dataDir: string): string | undefined {
  if (findGateway(dataDir) === undefined) return undefined;
  return readIfThere(join(dataDir, DATA_FILES.address))?.trim() || undefined;
}

/** Waits until `holds` answers true or the time is over; resolves to whether it did. */
export async function waitUntil(holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() >= end) return false;
    await delay(50);
  }
}

/** The text of a file; undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (['ENOENT', 'ENOTDIR'].includes((thrown as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw thrown;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // no holder: the gateway that starts next takes the lock over
  }
}
