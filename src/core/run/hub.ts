import type { RunEventType } from '../../../schemas/run-record.ts';

/** Something of a running run that is not stored: whoever misses it loses nothing that counts. */
export interface Glimpse {
  readonly type: Extract<RunEventType, 'progress' | 'output'>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** One who follows a run. Holds at most the newest glimpse of each type. */
export interface Follower {
  /** Resolves when something was stored or glimpsed since the last call, or the signal aborted. */
  changed(signal: AbortSignal): Promise<void>;
  /** The glimpses since the last call. */
  glimpses(): readonly Glimpse[];
  leave(): void;
}

/** Wakes those who follow runs. What they read stands in the store; here is only the word that there is something. */
export interface RunHub {
  follow(runId: string): Follower;
  /** Something of the run was stored. */
  wake(runId: string): void;
  show(runId: string, glimpse: Glimpse): void;
  /** Followers now, over all runs. */
  readonly followers: number;
}

interface Place {
  isNews: boolean;
  wake: () => void;
  readonly seen: Map<Glimpse['type'], Glimpse>;
}

/** Makes a hub that nobody follows yet. */
export function createRunHub(): RunHub {
  const runs = new Map<string, Set<Place>>();
  const each = (runId: string, tell: (place: Place) => void) => {
    for (const place of runs.get(runId) ?? []) {
      tell(place);
      place.isNews = true;
      place.wake();
    }
  };
  return {
    follow(runId) {
      const place: Place = { isNews: false, wake: () => undefined, seen: new Map() };
      const places = runs.get(runId) ?? new Set();
      runs.set(runId, places.add(place));
      return {
        changed: (signal) => untilNews(place, signal),
        glimpses() {
          const seen = [...place.seen.values()];
          place.seen.clear();
          return seen;
        },
        leave() {
          places.delete(place);
          if (places.size === 0) runs.delete(runId);
        },
      };
    },
    wake: (runId) => each(runId, () => undefined),
    show: (runId, glimpse) => each(runId, ({ seen }) => seen.set(glimpse.type, glimpse)),
    get followers() {
      let count = 0;
      for (const places of runs.values()) count += places.size;
      return count;
    },
  };
}

async function untilNews(place: Place, signal: AbortSignal): Promise<void> {
  if (!place.isNews && !signal.aborted) {
    const news = Promise.withResolvers<void>();
    const wake = () => news.resolve();
    place.wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    await news.promise;
    signal.removeEventListener('abort', wake);
  }
  place.isNews = false;
  place.wake = () => undefined;
}
