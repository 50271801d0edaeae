import { SallyportError } from '../errors.ts';
import { KEEP_ALIVE_MS } from './event-stream.ts';

/** The places of one kind of stream. */
export interface StreamPlaces {
  /** Takes a place until the returned function is called. Throws ERR_OVERLOADED, or ERR_RATE_LIMITED for one owner. */
  take(owner: string): () => void;
}

/** How many there may be, in all and of one owner: one alone must not shut the others out. */
export interface StreamLimits {
  readonly eventStreams: number;
  readonly eventStreamsPerPrincipal: number;
}

/** Makes places; the limits are read at each taking so that a reload applies, and `onChange` is told how many are taken. */
export function createStreamPlaces(limits: () => StreamLimits, onChange: (taken: number) => void): StreamPlaces {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(owner) {
      const own = taken.get(owner) ?? 0;
      if (own >= limits().eventStreamsPerPrincipal) {
        throw new SallyportError('ERR_RATE_LIMITED', 'This key has too many event streams open; close one.', {
          retryAfterMs: KEEP_ALIVE_MS,
        });
      }
      if (all >= limits().eventStreams) {
        throw new SallyportError('ERR_OVERLOADED', 'All event streams are taken (runs.eventStreams).', {
          retryAfterMs: KEEP_ALIVE_MS,
        });
      }
      all += 1;
      onChange(all);
      taken.set(owner, own + 1);
      let isGiven = true;
      return () => {
        if (!isGiven) return;
        isGiven = false;
        all -= 1;
        onChange(all);
        const left = (taken.get(owner) ?? 1) - 1;
        if (left === 0) taken.delete(owner);
        else taken.set(owner, left);
      };
    },
  };
}
