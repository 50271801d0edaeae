import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createOffsets, localTimeOf } from '../../../src/core/engagement/local-time.ts';
import { isOn, nextEdge, parseWeekly, type Weekly } from '../../../src/core/engagement/weekly.ts';
import { readWindow, windowState } from '../../../src/core/engagement/window.ts';
import { fuzz } from '../../fixtures/fuzz.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
/** Half-hour and 45-minute offsets, half-hour daylight saving, both hemispheres, none at all, twice a year in Ramadan. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Casablanca',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'America/Havana',
  'Antarctica/Troll',
  'Pacific/Kiritimati',
];

/** Another reading of the clock: the Swedish spelling of a date is ISO 8601. */
const swedish = new Map(
  ZONES.map((zone) => [
    zone,
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }),
  ]),
);
function faceOf(zone: string, at: number): { readonly date: string; readonly clock: string } {
  const [date = '', clock = ''] = swedish.get(zone)?.format(at).split(' ') ?? [];
  return { date, clock: clock.slice(0, 5) };
}

function dayName(date: string, shift = 0): string {
  return new Date(Date.parse(`${date}T12:00:00Z`) + shift * DAY).toUTCString().slice(0, 3);
}

interface Hours {
  readonly days: readonly string[];
  readonly start: string;
  readonly end: string;
  readonly zone: string;
}

/** What the text says, read as a person reads it off the clock. */
function isOnByFace({ days, start, end, zone }: Hours, at: number): boolean {
  const { date, clock } = faceOf(zone, at);
  if (start < end) return days.includes(dayName(date)) && clock >= start && clock < end;
  return (days.includes(dayName(date)) && clock >= start) || (days.includes(dayName(date, -1)) && clock < end);
}

/** Instants at which clocks are changed in 2024 to 2026, to the minute. */
const CHANGES: readonly (readonly [zone: string, at: number])[] = ZONES.flatMap((zone) => {
  const offset = (at: number): number => Date.parse(`${faceOf(zone, at).date}T${faceOf(zone, at).clock}:00Z`) - at;
  const found: [string, number][] = [];
  const end = Date.UTC(2027, 0, 1);
  for (let at = Date.UTC(2024, 0, 1); at < end; at += DAY) {
    if (offset(at) === offset(at + DAY)) continue;
    let change = at;
    while (offset(change) === offset(at)) change += MINUTE;
    found.push([zone, change]);
  }
  return found;
});

const clockText = fc.integer({ min: 0, max: 95 }).map((quarter) => {
  return `${String(Math.floor(quarter / 4)).padStart(2, '0')}:${String((quarter % 4) * 15).padStart(2, '0')}`;
});
const hoursIn = (zone: string): fc.Arbitrary<Hours> =>
  fc
    .record({
      days: fc.subarray(DAYS, { minLength: 1 }),
      start: clockText,
      end: fc.oneof(clockText, fc.constant('24:00')),
      zone: fc.constant(zone),
    })
    .filter(({ start, end }) => start !== end && end !== '00:00');
const nearChanges = fc.constantFrom(...CHANGES).chain(([zone, change]) =>
  fc.record({
    hours: hoursIn(zone),
    at: fc.integer({ min: -2 * 1440, max: 1440 }).map((by) => change + by * MINUTE),
  }),
);
const anyTime = fc.constantFrom(...ZONES).chain((zone) =>
  fc.record({
    hours: hoursIn(zone),
    at: fc.integer({ min: Date.UTC(2024, 0, 1) / MINUTE, max: Date.UTC(2027, 0, 1) / MINUTE }).map((by) => by * MINUTE),
  }),
);
const cases = fc.oneof(nearChanges, anyTime);
const textOf = ({ days, start, end, zone }: Hours): string => `${days.join(',')} ${start}-${end} ${zone}`;

function read(text: string): Weekly {
  const weekly = parseWeekly(text);
  assert.ok(weekly.ok, weekly.ok ? '' : weekly.fault);
  return weekly.value;
}

test('the years that are looked at hold changes of clocks to look at', () => {
  assert.ok(CHANGES.length >= 40);
  assert.ok(new Set(CHANGES.map(([zone]) => zone)).size >= 8);
});

test('hours are on exactly when the clock on the wall of that place says so, also while clocks are changed', async (t) => {
  await fuzz(
    t,
    fc.property(cases, ({ hours, at }) => {
      const weekly = read(textOf(hours));
      for (let minute = 0; minute < 180; minute += 1) {
        const then = at + minute * MINUTE;
        assert.equal(isOn(weekly, then), isOnByFace(hours, then), new Date(then).toISOString());
      }
    }),
  );
});

test('opensAt and closesAt are the first moment at which walking minute by minute finds a change', async (t) => {
  await fuzz(
    t,
    fc.property(cases, ({ hours, at }) => {
      const found = windowState(readWindow({ window: { weekly: [textOf(hours)] } }), at);
      const isOpen = found.state === 'open';
      assert.equal(isOpen, isOnByFace(hours, at));
      const edge = isOpen ? found.closesAt : found.opensAt;
      // Whole weeks without a closed minute: nothing to find within the days that are walked.
      const last = Math.min(edge ?? Infinity, at + 15 * DAY);
      for (let then = at; then < last; then += 15 * MINUTE) assert.equal(isOnByFace(hours, then), isOpen);
      if (edge !== undefined) assert.equal(isOnByFace(hours, edge), !isOpen, new Date(edge).toISOString());
    }),
  );
});

test('nothing changes before the next edge', async (t) => {
  await fuzz(
    t,
    fc.property(cases, ({ hours, at }) => {
      const weekly = read(textOf(hours));
      const edge = nextEdge(weekly, at);
      assert.ok(edge > at);
      for (let then = at; then < edge; then += MINUTE) assert.equal(isOn(weekly, then), isOn(weekly, at));
      assert.equal(isOn(weekly, edge - 1), isOn(weekly, at));
    }),
  );
});

test('hours over midnight belong to the day on which they begin', () => {
  const weekly = read('Mon 22:00-06:00 UTC');
  const isOnAt = (text: string) => isOn(weekly, Date.parse(text));
  assert.equal(isOnAt('2026-11-23T22:00:00Z'), true, 'Monday evening');
  assert.equal(isOnAt('2026-11-24T05:59:59.999Z'), true, 'Tuesday morning');
  assert.equal(isOnAt('2026-11-24T06:00:00Z'), false);
  assert.equal(isOnAt('2026-11-23T05:00:00Z'), false, 'Monday morning belongs to Sunday');
  assert.equal(isOnAt('2026-11-24T23:00:00Z'), false, 'Tuesday evening');
});

test('the hour that clocks show twice is on twice, and the one that they leave out is never on', () => {
  const weekly = read('Sun 02:00-03:00 Europe/Berlin');
  const onMinutes = (from: string) =>
    Array.from({ length: 1440 }, (_, minute) => Date.parse(from) + minute * MINUTE).filter((at) => isOn(weekly, at))
      .length;
  assert.equal(onMinutes('2026-10-24T22:00:00Z'), 120);
  assert.equal(onMinutes('2026-03-28T23:00:00Z'), 0);
  assert.equal(onMinutes('2026-11-07T23:00:00Z'), 60);
});

test('ranges of days may go over Sunday', () => {
  assert.deepEqual([...read('Sat-Mon 08:00-09:00 UTC').days], [5, 6, 0]);
});

for (const [text, why] of [
  ['Mon-Fri 8:00-18:00 UTC', 'an hour of one digit'],
  ['Mon-Fri 08:00-24:01 UTC', 'after the end of the day'],
  ['Mon-Fri 24:00-06:00 UTC', 'a begin at 24:00'],
  ['Mon-Fri 08:00-08:00 UTC', 'equal ends'],
  ['Mon-Fri 08:00-00:00 UTC', 'an end at 00:00'],
  ['Mon-Fri 08:00-18:60 UTC', 'a minute that is none'],
  ['mon 08:00-18:00 UTC', 'a day in small letters'],
  ['Mon,Mon 08:00-18:00 UTC', 'a day twice'],
  ['Mon-Wed,Tue 08:00-18:00 UTC', 'a day twice by a range'],
  ['Mon-Wed-Fri 08:00-18:00 UTC', 'two ranges in one'],
  ['Mon, 08:00-18:00 UTC', 'a comma without a day'],
  ['Mon 08:00-18:00', 'no zone'],
  ['Mon 08:00-18:00 Europe/Atlantis', 'a zone that is none'],
  ['Mon 08:00-18:00 +01:00', 'an offset'],
  ['Mon 08:00-18:00 UTC ', 'a space at the end'],
  ['Mon  08:00-18:00 UTC', 'two spaces'],
  ['', 'nothing'],
] as const) {
  test(`hours with ${why} are refused`, () => assert.equal(parseWeekly(text).ok, false));
}

test('a long line of commas costs no time', () => {
  const begun = performance.now();
  assert.equal(parseWeekly(`${'Mon,'.repeat(200_000)} 08:00-18:00 UTC`).ok, false);
  assert.ok(performance.now() - begun < 1000);
});

/** Hours whose clock counts how often it is read. */
function counted(texts: readonly string[]) {
  let looks = 0;
  const { weekly, ...rest } = readWindow({ window: { weekly: [...texts], until: '2027-11-20T00:00:00Z' } });
  const counting = weekly.map((hours) => ({
    ...hours,
    get zone() {
      looks += 1;
      return hours.zone;
    },
  }));
  return { window: { ...rest, weekly: counting }, looks: () => looks };
}

const clockOf = (minutes: number): string =>
  [Math.floor(minutes / 60) % 24, minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');

test('sixty-four hours that overlap round the clock are walked through in few steps', () => {
  const wide = Array.from({ length: 64 }, (_, at) => `Mon-Sun ${clockOf(at * 22 + 2)}-${clockOf(at * 22 + 152)} UTC`);
  const shifted = Array.from(
    { length: 64 },
    (_, at) => `Mon-Sun ${clockOf(at + 1)}-${clockOf(at + 1371)} Europe/Berlin`,
  );
  for (const texts of [wide, shifted]) {
    const { window, looks } = counted(texts);
    assert.equal(windowState(window, Date.UTC(2026, 10, 25, 10)).state, 'open');
    assert.ok(looks() < 40_000, `${looks()} looks at a clock`);
  }
});

test('hours that blackouts cover again and again are walked through in few steps', () => {
  const texts = Array.from(
    { length: 64 },
    (_, at) => `Wed ${clockOf(600 + at * 2)}-${clockOf(601 + at * 2)} Europe/Berlin`,
  );
  const { window, looks } = counted(texts);
  const begin = Date.UTC(2026, 10, 18, 6);
  const blackout = Array.from({ length: 50 }, (_, week) => {
    const from = begin + week * 7 * DAY;
    return { from, until: from + DAY / 2 };
  });
  const { state, opensAt } = windowState({ ...window, blackout }, begin - DAY);
  assert.equal(state, 'closed');
  assert.equal(opensAt, Date.UTC(2027, 10, 3, 9));
  assert.ok(looks() < 150_000, `${looks()} looks at a clock`);
});

test('the offset of a zone is read once for each half day, and is right also where clocks are changed', () => {
  let reads = 0;
  const read = (zone: string, at: number) => {
    reads += 1;
    return localTimeOf(zone, at).offsetMs;
  };
  const offsetOf = createOffsets(read);
  for (let at = 0; at < 30 * DAY; at += 10 * MINUTE) offsetOf('UTC', at);
  assert.equal(reads, 61);
  for (const [zone, change] of CHANGES) {
    for (const at of [change - DAY / 2, change - 1, change, change + 1, change + DAY / 2]) {
      const { date, clock } = faceOf(zone, at);
      assert.equal(Math.floor((at + offsetOf(zone, at)) / MINUTE) * MINUTE, Date.parse(`${date}T${clock}:00Z`), zone);
    }
  }
});
