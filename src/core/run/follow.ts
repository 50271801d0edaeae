import type { StoredEvent } from '../store/types.ts';
import { SallyportError } from '../errors.ts';
import type { HistoryParts } from './history-parts.ts';
import { isFinal } from './states.ts';
import type { FollowPosition, RunEvent } from './types.ts';

/** Events that are in memory at once for one reader. */
const PAGE = 100;

/** The number behind which to go on; ids are of one run, so that one of another run is refused. */
export function positionOf(runId: string, lastEventId: string | undefined): number {
  if (lastEventId === undefined) return 0;
  const [, of, seq] = /^([\w-]{1,64}):(\d{1,15})$/.exec(lastEventId) ?? [];
  if (of !== runId || seq === undefined) {
    throw new SallyportError('ERR_INPUT_INVALID', 'Last-Event-ID is not an id of this run’s events.');
  }
  return Number(seq);
}

/**
 * The events of one run, stored ones in order and without a gap, then live until its final state. Nothing is pushed: a
 * reader that does not ask holds nothing but its place.
 */
export async function* followRun(
  parts: HistoryParts,
  { runId, after, signal }: { runId: string; after: number } & Pick<FollowPosition, 'signal'>,
): AsyncGenerator<RunEvent, void, undefined> {
  const follower = parts.hub.follow(runId);
  let last = after;
  try {
    while (!signal.aborted) {
      const events = await parts.store.runs.events(runId, last, PAGE);
      for (const event of events) {
        last = event.seq;
        yield eventOf(runId, event);
      }
      if (events.length > 0) continue;
      // Asked only when there was nothing more to read: its last event is stored together with its state.
      if (await hasEnded(parts, runId)) {
        const missed = await parts.store.runs.events(runId, last, PAGE);
        if (missed.length === 0) return;
        continue;
      }
      for (const { type, data } of follower.glimpses()) yield { type, data };
      await follower.changed(signal);
    }
  } finally {
    follower.leave();
  }
}

async function hasEnded({ store }: HistoryParts, runId: string): Promise<boolean> {
  const run = await store.runs.get(runId);
  return run === undefined || isFinal(run.state);
}

function eventOf(runId: string, { seq, at, type, data }: StoredEvent): RunEvent {
  return { id: `${runId}:${seq}`, type, data: { at: new Date(at).toISOString(), ...data } };
}
