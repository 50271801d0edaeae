import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { within } from '../within.ts';
import type { KillStore, StoredKill } from './types.ts';

/** Milliseconds between tries and limits of waits. */
export interface KillTimes {
  /** Between two tries while somebody waits for the answer. */
  readonly retryMs: number;
  /** Between two tries afterwards. */
  readonly laterMs: number;
  /** Longest wait for one write. */
  readonly writeMs: number;
  /** Longest wait for the ends of the runs. */
  readonly endMs: number;
}

const TRIES = 3;

/** What keeps switches durable. */
export interface Keeper {
  /**
   * Stores a switch while it is wanted; false when three tries failed. Then it is tried on in the background: a disk that
   * is full for a while must not cost a kill that the next start has to know of.
   */
  keep(kill: StoredKill, isWanted: () => boolean): Promise<boolean>;
}

/** Makes the keeper of one store. */
export function createKeeper(parts: {
  readonly store: Pick<KillStore, 'put'>;
  readonly log: Log;
  readonly times: KillTimes;
}): Keeper {
  const { store, log, times } = parts;
  const put = async (kill: StoredKill): Promise<boolean> => {
    try {
      const stored = store.put(kill).then(() => true);
      return (await within(stored, times.writeMs)) ?? false;
    } catch (err) {
      log.error('kill.failed', { engagement: kill.engagement, what: 'store', err });
      return false;
    }
  };
  const keepLater = async (kill: StoredKill, isWanted: () => boolean): Promise<void> => {
    for (;;) {
      await sleep(times.laterMs, undefined, { ref: false });
      if (!isWanted() || (await put(kill))) return;
    }
  };
  return {
    async keep(kill, isWanted) {
      for (let round = 0; round < TRIES; round += 1) {
        if (round > 0) await sleep(times.retryMs);
        // Lifted meanwhile, or pulled again: whoever did that stores it.
        if (!isWanted() || (await put(kill))) return true;
      }
      void keepLater(kill, isWanted);
      return false;
    },
  };
}
