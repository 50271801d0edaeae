import { setTimeout as sleep } from 'node:timers/promises';

/** What was awaited, or undefined when it took longer than that many milliseconds; no timer is left behind. */
export async function within<T>(awaited: Promise<T>, ms: number): Promise<T | undefined> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([awaited, late]);
  } finally {
    timer.abort();
  }
}
