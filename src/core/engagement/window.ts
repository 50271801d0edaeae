import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { parseMoment } from './moment.ts';
import type { EngagementStateName } from './types.ts';
import { isOn, nextEdge, parseWeekly, type Weekly } from './weekly.ts';

/** The window of an engagement, read once. */
export interface Window {
  /** Milliseconds since the epoch; the ends of the world when the document says nothing. */
  readonly from: number;
  readonly until: number;
  /** Empty: any hour. */
  readonly weekly: readonly Weekly[];
  readonly blackout: readonly Blackout[];
}

/** A time in which nothing runs: `from` belongs to it, `until` does not. */
export interface Blackout {
  readonly from: number;
  readonly until: number;
  readonly reason?: string;
}

/** How a window stands at one instant. */
export interface WindowState {
  readonly state: Extract<EngagementStateName, 'open' | 'not_yet' | 'closed' | 'blackout' | 'expired'>;
  readonly rule?: string;
  readonly why?: string;
  /** The next instant at which it is open; absent when there is none. */
  readonly opensAt?: number;
  /** The first instant at which it is not open any more; absent when there is none, or none within a month. */
  readonly closesAt?: number;
}

const DAY_MS = 86_400_000;
/** How far the end of hours that overlap without a gap is looked for. */
const HORIZON_MS = 31 * DAY_MS;
/** More than any way through blackouts and hours takes. */
const MAX_STEPS = 20_000;

/** Reads the window of a checked document. Throws a plain Error for one that was not checked. */
export function readWindow({ window = {} }: Pick<EngagementDocument, 'window'>): Window {
  return {
    from: window.from === undefined ? Number.NEGATIVE_INFINITY : momentOf(window.from),
    until: window.until === undefined ? Number.POSITIVE_INFINITY : momentOf(window.until),
    weekly: (window.weekly ?? []).map((text) => {
      const read = parseWeekly(text);
      if (!read.ok) throw new Error(read.fault);
      return read.value;
    }),
    blackout: (window.blackout ?? []).map(({ from, until, reason }) => ({
      from: momentOf(from),
      until: momentOf(until),
      ...(reason !== undefined && { reason }),
    })),
  };
}

/** How the window stands at an instant, and when that changes. Pure; every boundary belongs to what begins there. */
export function windowState(window: Window, at: number): WindowState {
  const judged = judge(window, at);
  if (judged.state === 'expired') return judged;
  if (judged.state === 'open') {
    const closesAt = closing(window, at);
    return closesAt === undefined ? judged : { ...judged, closesAt };
  }
  const opensAt = opening(window, at);
  return opensAt === undefined ? judged : { ...judged, opensAt };
}

function judge(window: Window, at: number): WindowState {
  if (at >= window.until) {
    return { state: 'expired', rule: 'engagement.until', why: `It ended at ${iso(window.until)}.` };
  }
  if (at < window.from) {
    return { state: 'not_yet', rule: 'engagement.from', why: `It begins at ${iso(window.from)}.` };
  }
  const blackout = blackoutAt(window, at);
  if (blackout !== undefined) {
    const { until, reason } = blackout;
    const why = `A blackout lasts until ${iso(until)}${reason === undefined ? '' : `: ${reason}`}`;
    return { state: 'blackout', rule: 'engagement.blackout', why: /[.!?]$/.test(why) ? why : `${why}.` };
  }
  if (window.weekly.length === 0 || window.weekly.some((weekly) => isOn(weekly, at))) return { state: 'open' };
  const hours = window.weekly.map(({ text }) => text);
  const shown = hours.length <= 4 ? hours.join('; ') : `${hours.slice(0, 4).join('; ')} and ${hours.length - 4} more`;
  return { state: 'closed', rule: 'engagement.weekly', why: `Its hours are ${shown}.` };
}

function opening(window: Window, at: number): number | undefined {
  let next = at;
  for (let step = 0; step < MAX_STEPS && next < window.until; step += 1) {
    const { state } = judge(window, next);
    if (state === 'open') return next;
    if (state === 'not_yet') next = window.from;
    else if (state === 'blackout') next = blackoutAt(window, next)?.until ?? window.until;
    else next = Math.min(...window.weekly.map((weekly) => nextEdge(weekly, next)));
  }
  return undefined;
}

function closing(window: Window, at: number): number | undefined {
  const begins = window.blackout.map(({ from }) => from).filter((from) => from > at);
  const fixed = Math.min(window.until, ...begins);
  const end = window.weekly.length === 0 ? fixed : Math.min(fixed, endOfHours(window.weekly, at));
  return Number.isFinite(end) ? end : undefined;
}

/** The end of the hours that are on; Infinity when they go over into others for a month. */
function endOfHours(all: readonly Weekly[], at: number): number {
  let next = at;
  for (let step = 0; step < MAX_STEPS && next < at + HORIZON_MS; step += 1) {
    const now = next;
    const on = all.filter((weekly) => isOn(weekly, now));
    if (on.length === 0) return now;
    // Over the one that lasts longest: sixty-four that overlap would be as many steps a day.
    next = Math.max(...on.map((weekly) => nextEdge(weekly, now)));
  }
  return Number.POSITIVE_INFINITY;
}

/** The one that ends last of those that hold: a shorter one would promise an opening too early. */
function blackoutAt({ blackout }: Window, at: number): Blackout | undefined {
  return blackout
    .filter(({ from, until }) => at >= from && at < until)
    .reduce<Blackout | undefined>(
      (last, each) => (last === undefined || each.until > last.until ? each : last),
      undefined,
    );
}

function momentOf(text: string): number {
  const read = parseMoment(text);
  if (!read.ok) throw new Error(read.fault);
  return read.value;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
