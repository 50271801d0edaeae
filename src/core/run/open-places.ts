import { SallyportError } from '../errors.ts';
import type { EngineParts } from './engine-parts.ts';
import type { LiveRuns } from './live-runs.ts';

/** Places of principals for runs that wait, run or await consent. */
export interface OpenPlaces {
  /**
   * Does work on the way to a new run, with a place that is held from its first moment. Attack: one key sends hundreds of
   * calls at once, and each of them finds room while none of them is a run yet. Throws ERR_QUOTA_EXCEEDED.
   */
  within<T>(owner: string, work: () => Promise<T>): Promise<T>;
}

/** Counts the runs of each principal and its calls that may become one. */
export function createOpenPlaces(quotas: EngineParts['quotas'], runs: Pick<LiveRuns, 'countOf'>): OpenPlaces {
  const coming = new Map<string, number>();
  return {
    async within(owner, work) {
      const { openRuns } = quotas();
      const already = coming.get(owner) ?? 0;
      const open = runs.countOf(owner) + already;
      if (open >= openRuns) throw exceeded(open, openRuns);
      coming.set(owner, already + 1);
      try {
        return await work();
      } finally {
        const left = (coming.get(owner) ?? 1) - 1;
        if (left === 0) coming.delete(owner);
        else coming.set(owner, left);
      }
    },
  };
}

function exceeded(used: number, limit: number): SallyportError {
  return new SallyportError('ERR_QUOTA_EXCEEDED', `You have ${used} open runs of ${limit}; wait for some to end.`, {
    retryAfterMs: 5000,
    details: { rule: 'quota.open-runs', limit, used },
  });
}
