import { within } from '../within.ts';
import type { StartedRun, Waited } from './types.ts';

/**
 * Waits for the end of a run, at most `waitMs` milliseconds; after that the run is detached and goes on. Rejects as
 * `ended` does.
 */
export async function waitForRun(started: StartedRun, waitMs: number): Promise<Waited> {
  const result = waitMs === 0 ? undefined : await within(started.ended, waitMs);
  if (result !== undefined) return { kind: 'ended', result };
  // Durable first: whoever is told the id may rely on it.
  await started.detach();
  return { kind: 'going_on', run: await started.read() };
}
