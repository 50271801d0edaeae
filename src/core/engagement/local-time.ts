/** The clock on the wall of a place at one instant. */
export interface LocalTime {
  /** 0 is Monday. */
  readonly day: number;
  /** Milliseconds since the local midnight by the clock's face, 0 to 86399999. */
  readonly ms: number;
  /** Local time minus UTC, milliseconds. */
  readonly offsetMs: number;
}

const DAY_MS = 86_400_000;
/** A name of the IANA time zone database. Offsets like +01:00 know no daylight saving, so they are not taken. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:\/[A-Za-z0-9_+-]{1,32}){0,2}$/;

/** Whether a text names a time zone that this machine knows. */
export function isZone(text: string): boolean {
  if (!ZONE.test(text)) return false;
  try {
    return formatOf(text) !== undefined;
  } catch {
    return false;
  }
}

/**
 * The local time of an instant. Only this direction is ever computed: an instant has exactly one local time, while a
 * local time has none or two instants when clocks are changed.
 */
export function localTimeOf(zone: string, at: number): LocalTime {
  const second = Math.floor(at / 1000) * 1000;
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0, seconds = 0] = formatOf(zone)
    .format(second)
    .split(NO_DIGITS)
    .map(Number);
  const local = Date.UTC(year, month - 1, day, hour, minute, seconds) + (at - second);
  return {
    day: (new Date(local).getUTCDay() + 6) % 7,
    ms: ((local % DAY_MS) + DAY_MS) % DAY_MS,
    offsetMs: local - at,
  };
}

const NO_DIGITS = /\D+/;
/** Formatters cost memory and time to make, and there are no more zones than the database has. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const name = zone.toLowerCase();
  const known = formats.get(name);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(name, format);
  return format;
}
