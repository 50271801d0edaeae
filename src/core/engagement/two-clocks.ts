import type { Clock } from '../clock.ts';
import type { EngagementState } from './types.ts';
import { type Window, type WindowState, windowState } from './window.ts';

/** Asks windows by the wall clock and by one that no jump moves. */
export interface TwoClocks {
  state(window: Window): EngagementState;
}

/** Milliseconds by which clocks differ through adjustment alone (NTP slews), so that nobody is told of it. */
const NOTABLE_MS = 5000;
const DAY_MS = 86_400_000;

/**
 * The second clock starts at the later of the wall clock and `notBefore` (the newest time that is known, such as that of
 * the last audit record) and runs with the monotonic clock. Who sets the machine's clock back to stretch a window, while
 * the gateway runs or while it is stopped, gains nothing: it is open only when it is open by both.
 */
export function createTwoClocks(clock: Clock, notBefore: number): TwoClocks {
  const started = clock.monotonic();
  const base = Math.max(clock.now(), notBefore);
  const doubt = createDoubt(base - clock.now() >= NOTABLE_MS ? base : undefined);
  const byWall = createMemo();
  const bySteady = createMemo();
  return {
    state: (window) => {
      const now = clock.now();
      const steadyNow = base + (clock.monotonic() - started);
      const wall = byWall(window, now);
      const steady = bySteady(window, steadyNow);
      return combine(wall, { ...steady, aheadMs: steadyNow - now }, doubt);
    },
  };
}

function combine(
  wall: WindowState,
  steady: WindowState & { readonly aheadMs: number },
  doubt: (aheadMs: number) => string,
): EngagementState {
  const { aheadMs } = steady;
  // In terms of the wall clock, which is the one that callers have.
  const steadyOpens = steady.opensAt === undefined ? undefined : Math.round(steady.opensAt - aheadMs);
  const steadyCloses = steady.closesAt === undefined ? undefined : Math.round(steady.closesAt - aheadMs);
  if (wall.state === 'open' && steady.state === 'open') {
    const closesAt = Math.min(wall.closesAt ?? Infinity, steadyCloses ?? Infinity);
    return { state: 'open', ...(Number.isFinite(closesAt) && { closesAt }) };
  }
  // Expired by either is expired: the only refusal that waiting does not mend.
  const isBySteady = wall.state === 'open' || (steady.state === 'expired' && wall.state !== 'expired');
  const { state, rule, why } = isBySteady ? steady : wall;
  const opens = [...(wall.state === 'open' ? [] : [wall.opensAt]), ...(steady.state === 'open' ? [] : [steadyOpens])];
  const isKnown = opens.every((each) => each !== undefined);
  return {
    state,
    ...(rule !== undefined && { rule }),
    ...(why !== undefined && { why: isBySteady ? `${why}${doubt(aheadMs)}` : why }),
    ...(isKnown && { opensAt: Math.max(...opens) }),
  };
}

/** What to do about clocks that differ. `recordedAt`: the start found a last audit record later than the wall clock. */
function createDoubt(recordedAt: number | undefined): (aheadMs: number) => string {
  return (aheadMs) => {
    if (Math.abs(aheadMs) < NOTABLE_MS) return '';
    const minutes = Math.ceil(Math.abs(aheadMs) / 60_000);
    if (aheadMs < 0) {
      return ` The machine's clock was set forward by about ${minutes} min, which opens nothing; when it is right, restart the gateway.`;
    }
    const cause =
      recordedAt === undefined
        ? "The machine's clock was set back"
        : `The last audit record before the start is of ${new Date(recordedAt).toISOString()}, and the machine's clock was set back since`;
    // A restart begins at the last audit record, whose time is never before that of the one before it.
    return ` ${cause}, by about ${minutes} min, which opens nothing, nor does a restart: docs/runbook.md, "The clock was ahead".`;
  };
}

/** Reading hours costs some time, and between two boundaries nothing changes. */
function createMemo(): (window: Window, at: number) => WindowState {
  const known = new WeakMap<Window, { readonly from: number; readonly until: number; readonly state: WindowState }>();
  return (window, at) => {
    const found = known.get(window);
    if (found !== undefined && at >= found.from && at < found.until) return found.state;
    const state = windowState(window, at);
    known.set(window, { from: at, until: nextBoundary(window, state, at), state });
    return state;
  };
}

function nextBoundary(window: Window, { opensAt, closesAt }: WindowState, at: number): number {
  const edges = [window.from, window.until, ...window.blackout.flatMap(({ from, until }) => [from, until])];
  const known = [opensAt, closesAt].filter((edge) => edge !== undefined);
  return Math.min(at + DAY_MS, ...[...edges, ...known].filter((edge) => edge > at));
}
