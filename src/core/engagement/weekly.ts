import { fault, type Parsed, parsed, quote } from '../targets/rules.ts';
import { isZone, localTimeOf, STEP_MS } from './local-time.ts';

/** Hours of some days of every week, by the clock of one place. */
export interface Weekly {
  readonly text: string;
  /** 0 is Monday; those on which it begins. */
  readonly days: ReadonlySet<number>;
  /** Milliseconds since midnight by the clock's face; `end` up to 24:00. Below `start`: it ends on the next day. */
  readonly start: number;
  readonly end: number;
  readonly zone: string;
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const FORM = /^(\S{3,64}) ([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d) (\S{1,100})$/;

/**
 * Reads `Mon-Fri 08:00-18:00 Europe/Berlin` or `Mon,Wed 22:00-06:00 UTC`. Hours over midnight belong to the day on which
 * they begin; 24:00 is the end of a day; equal ends are refused, because they could mean nothing or the whole day.
 */
export function parseWeekly(text: string): Parsed<Weekly> {
  const match = FORM.exec(text);
  if (match === null) return fault(`${quote(text)} is not of the form "Mon-Fri 08:00-18:00 Europe/Berlin"`);
  const [, dayText = '', startHour, startMinute, endHour, endMinute, zone = ''] = match;
  const days = parseDays(dayText);
  if (!days.ok) return days;
  const start = (Number(startHour) * 60 + Number(startMinute)) * MINUTE_MS;
  const end = (Number(endHour) * 60 + Number(endMinute)) * MINUTE_MS;
  if (end > DAY_MS) return fault('the latest end is 24:00');
  if (start === end) return fault('begin and end are the same; the whole day is 00:00-24:00');
  if (end === 0) return fault('an end at midnight is written 24:00');
  if (!isZone(zone)) return fault(`${quote(zone)} is no time zone; write a name like Europe/Berlin or UTC`);
  return parsed({ text, days: days.value, start, end, zone });
}

/** Whether the hours are on at an instant. */
export function isOn({ days, start, end, zone }: Weekly, at: number): boolean {
  const { day, ms } = localTimeOf(zone, at);
  if (start < end) return days.has(day) && ms >= start && ms < end;
  return (days.has(day) && ms >= start) || (days.has((day + 6) % 7) && ms < end);
}

/** The first instant after `at` at which the hours may go on or off: nothing changes before it. Exact to the millisecond. */
export function nextEdge(weekly: Weekly, at: number): number {
  const { zone } = weekly;
  const { day, ms, offsetMs } = localTimeOf(zone, at);
  const step = Math.min(STEP_MS, edgeOfDay(weekly, day, ms) - ms);
  // Between two changes of the clocks local time runs like any other.
  if (localTimeOf(zone, at + step).offsetMs === offsetMs) return at + step;
  let same = at;
  let other = at + step;
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (localTimeOf(zone, middle).offsetMs === offsetMs) same = middle;
    else other = middle;
  }
  return other;
}

/** The next edge by the clock's face on this day, or its end: on a day on which nothing begins or ends there is none. */
function edgeOfDay({ days, start, end }: Weekly, day: number, ms: number): number {
  const isOvernight = start >= end;
  const begins = days.has(day) ? start : DAY_MS;
  const ends = days.has(isOvernight ? (day + 6) % 7 : day) ? end : DAY_MS;
  return Math.min(begins > ms ? begins : DAY_MS, ends > ms ? ends : DAY_MS);
}

function parseDays(text: string): Parsed<ReadonlySet<number>> {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const [first = '', last = first, ...more] = part.split('-');
    const from = DAYS.indexOf(first);
    const to = DAYS.indexOf(last);
    if (from < 0 || to < 0 || more.length > 0) return fault(`${quote(part)} is no day or range of ${DAYS.join(', ')}`);
    for (let day = from; ; day = (day + 1) % 7) {
      if (days.has(day)) return fault(`${DAYS[day]} is named twice`);
      days.add(day);
      if (day === to) break;
    }
  }
  return parsed(days);
}
