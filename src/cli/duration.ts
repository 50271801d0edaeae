import { usageError } from './command.ts';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of a text such as `30s`, `12h` or `90d`. Throws `usageError` for anything else. */
export function parseDuration(text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : UNITS[unit];
  if (count === undefined || factor === undefined) {
    throw usageError(`'${text}' is no duration; write a number and ms, s, m, h or d: 30s, 12h, 90d.`);
  }
  return Number(count) * factor;
}

/** A moment, as milliseconds since the epoch, of a duration from now or an ISO 8601 date. Throws `usageError`. */
export function parseMoment(text: string, now: number): number {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return now + parseDuration(text);
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw usageError(`'${text}' is no date; write 2027-01-31 or 2027-01-31T12:00:00Z.`);
  if (moment <= now) throw usageError(`'${text}' is over already.`);
  return moment;
}
