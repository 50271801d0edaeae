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
  const offsetMs = offsetOf(zone, at);
  const local = at + offsetMs;
  return { day: (new Date(local).getUTCDay() + 6) % 7, ms: ((local % DAY_MS) + DAY_MS) % DAY_MS, offsetMs };
}

/** Clocks are nowhere changed twice within so short a time. */
export const STEP_MS = 12 * 3_600_000;
/** Half days of which the offset is kept, over all zones. */
const MAX_KEPT = 10_000;

/**
 * Makes a function that reads the offset of a zone only at the borders of half days: where both are the same, the clocks
 * were not changed between. Attack: hours that overlap all year are asked for at thousands of instants, and each reading
 * of a clock costs a thousand times what a sum does.
 */
export function createOffsets(read: (zone: string, at: number) => number): (zone: string, at: number) => number {
  const borders = new Map<string, number>();
  const atBorder = (zone: string, index: number): number => {
    const key = `${zone} ${index}`;
    const known = borders.get(key);
    if (known !== undefined) return known;
    if (borders.size >= MAX_KEPT) borders.clear();
    const offset = read(zone, index * STEP_MS);
    borders.set(key, offset);
    return offset;
  };
  return (zone, at) => {
    const index = Math.floor(at / STEP_MS);
    const offset = atBorder(zone, index);
    return offset === atBorder(zone, index + 1) ? offset : read(zone, at);
  };
}

const offsetOf = createOffsets(readOffset);

function readOffset(zone: string, at: number): number {
  const second = Math.floor(at / 1000) * 1000;
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0, seconds = 0] = formatOf(zone)
    .format(second)
    .split(NO_DIGITS)
    .map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, seconds) - second;
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
