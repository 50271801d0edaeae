import { fault, type Parsed, parsed, quote } from '../targets/rules.ts';

const MOMENT = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:Z|[+-](\d{2}):(\d{2}))$/;

/**
 * Reads a date and time of RFC 3339 with its offset, as milliseconds since the epoch. Refuses what readers take each in
 * their own way: no offset (local time of which machine?), the 30th of February, hour 24, leap seconds.
 */
export function parseMoment(text: string): Parsed<number> {
  const match = MOMENT.exec(text);
  if (match === null) return fault(`${quote(text)} is not a date and time like 2026-11-20T08:00:00Z`);
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const isOfClock = isFace(hour, minute) && isFace(offsetHour, offsetMinute) && (second ?? 60) <= 59;
  if (!isDay(year, month, day) || !isOfClock) {
    return fault(`${quote(text)} is no moment of the calendar`);
  }
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? fault(`${quote(text)} is no moment of the calendar`) : parsed(moment);
}

function isFace(hour = 24, minute = 60): boolean {
  return hour <= 23 && minute <= 59;
}

function isDay(year = 0, month = 0, day = 0): boolean {
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
