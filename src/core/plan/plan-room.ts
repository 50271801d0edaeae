import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';

/** Keeps one key from filling the disk with plans: so many of them, and so much of them, until they expire. */
export interface PlanRoom {
  /** Takes a place until the plan expires, or until it is given back. Throws ERR_QUOTA_EXCEEDED. */
  take(owner: string, plan: { readonly chars: number; readonly ttlMs: number }): () => void;
}

/** Most plans of one owner that have not expired. */
export const MAX_OPEN_PLANS = 1000;
/** Most characters of all their inputs together. */
const MAX_CHARS = 16_777_216;

interface Place {
  readonly chars: number;
  readonly untilMs: number;
}

/** Counts in this process: what an earlier life left expires by itself. */
export function createPlanRoom(clock: Clock): PlanRoom {
  const owners = new Map<string, Set<Place>>();
  const open = (owner: string): Set<Place> => {
    const now = clock.monotonic();
    const places = owners.get(owner) ?? new Set<Place>();
    for (const place of places) if (place.untilMs <= now) places.delete(place);
    return places;
  };
  return {
    take: (owner, { chars, ttlMs }) => {
      const places = open(owner);
      const sum = [...places].reduce((total, place) => total + place.chars, chars);
      if (places.size >= MAX_OPEN_PLANS || sum > MAX_CHARS) throw full([...places], clock.monotonic());
      const place = { chars, untilMs: clock.monotonic() + ttlMs };
      owners.set(owner, places.add(place));
      return () => {
        places.delete(place);
        if (places.size === 0 && owners.get(owner) === places) owners.delete(owner);
      };
    },
  };
}

function full(places: readonly Place[], now: number): SallyportError {
  const first = places.reduce((least, { untilMs }) => Math.min(least, untilMs), Number.POSITIVE_INFINITY);
  return new SallyportError(
    'ERR_QUOTA_EXCEEDED',
    `You have ${places.length} plans that have not expired; ${MAX_OPEN_PLANS} plans and ${MAX_CHARS} characters of input are kept at most. Wait until some expire, or run without a plan.`,
    {
      details: { rule: 'quota.open-plans', limit: MAX_OPEN_PLANS, used: places.length },
      ...(Number.isFinite(first) ? { retryAfterMs: Math.max(1, first - now) } : {}),
    },
  );
}
