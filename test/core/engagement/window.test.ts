import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseMoment } from '../../../src/core/engagement/moment.ts';
import { createTwoClocks } from '../../../src/core/engagement/two-clocks.ts';
import { readWindow, type Window, windowState } from '../../../src/core/engagement/window.ts';
import { fuzz } from '../../fixtures/fuzz.ts';
import { NOW } from './rig.ts';

const HOUR = 3_600_000;
const at = (hours: number): string => new Date(NOW + hours * HOUR).toISOString();
const stateAt = (window: Window, hours: number) => windowState(window, NOW + hours * HOUR).state;

test('each boundary belongs to what begins there', () => {
  const window = readWindow({
    window: { from: at(1), until: at(9), blackout: [{ from: at(3), until: at(4), reason: 'change freeze' }] },
  });
  const states = [0, 0.999, 1, 2.999, 3, 3.999, 4, 8.999, 9, 99].map((hours) => stateAt(window, hours));
  assert.deepEqual(states, [
    'not_yet',
    'not_yet',
    'open',
    'open',
    'blackout',
    'blackout',
    'open',
    'open',
    'expired',
    'expired',
  ]);
  assert.equal(windowState(window, NOW).opensAt, NOW + HOUR);
  assert.equal(windowState(window, NOW + HOUR).closesAt, NOW + 3 * HOUR);
  const dark = windowState(window, NOW + 3 * HOUR);
  assert.equal(dark.rule, 'engagement.blackout');
  assert.match(dark.why ?? '', /change freeze/);
  assert.equal(dark.opensAt, NOW + 4 * HOUR);
  assert.equal(windowState(window, NOW + 9 * HOUR).opensAt, undefined);
});

test('blackouts that overlap or follow each other open again after the last', () => {
  const window = readWindow({
    window: {
      blackout: [
        { from: at(-1), until: at(2) },
        { from: at(1), until: at(5) },
        { from: at(5), until: at(6) },
      ],
    },
  });
  assert.equal(windowState(window, NOW).opensAt, NOW + 6 * HOUR);
});

test('hours that lie in a blackout do not open', () => {
  const window = readWindow({
    // NOW is a Wednesday, 10:00 UTC.
    window: { weekly: ['Thu 08:00-09:00 UTC'], blackout: [{ from: at(20), until: at(24) }] },
  });
  assert.equal(windowState(window, NOW).opensAt, NOW + (22 + 7 * 24) * HOUR);
});

test('hours that go over into others do not close between them', () => {
  const window = readWindow({
    window: { weekly: ['Wed 08:00-12:00 UTC', 'Wed 11:00-24:00 UTC', 'Thu 00:00-01:00 UTC'] },
  });
  assert.equal(windowState(window, NOW).closesAt, NOW + 15 * HOUR);
});

test('hours of the whole week never close, and their end is still known', () => {
  const always = { weekly: ['Mon-Sun 00:00-24:00 Europe/Berlin'] };
  assert.equal(windowState(readWindow({ window: always }), NOW).closesAt, undefined);
  const until = windowState(readWindow({ window: { ...always, until: at(5000) } }), NOW);
  assert.equal(until.closesAt, NOW + 5000 * HOUR);
});

test('without a window it is always open', () => {
  assert.deepEqual(windowState(readWindow({}), NOW), { state: 'open' });
});

for (const text of [
  '2026-11-20T08:00:00',
  '2026-11-20',
  '2026-11-20 08:00:00Z',
  '2026-02-30T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-11-20T24:00:00Z',
  '2026-06-30T23:59:60Z',
  '2026-11-20T08:00:00+24:00',
  '1763625600',
  '',
]) {
  test(`${JSON.stringify(text)} is no moment`, () => assert.equal(parseMoment(text).ok, false));
}

test('a moment is read with its offset', () => {
  const read = parseMoment('2026-11-20T08:00:00.5+01:30');
  assert.equal(read.ok && read.value, Date.UTC(2026, 10, 20, 6, 30, 0, 500));
});

/** Two clocks that a test moves. */
function clocksAt(wall: number, notBefore = 0) {
  const time = { wall, steady: 1_000_000 };
  const clocks = createTwoClocks({ now: () => time.wall, monotonic: () => time.steady }, notBefore);
  return { time, clocks };
}

test('setting the clock back does not stretch a window, to whatever time and however often', async (t) => {
  const jumps = fc.array(fc.record({ passMs: fc.nat(8 * HOUR), jumpMs: fc.integer({ min: -90 * HOUR, max: 0 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  await fuzz(
    t,
    fc.property(jumps, (steps) => {
      const window = readWindow({ window: { until: at(10) } });
      const { time, clocks } = clocksAt(NOW);
      let really = NOW;
      for (const { passMs, jumpMs } of steps) {
        really += passMs;
        time.steady += passMs;
        time.wall += passMs + jumpMs;
        const { state } = clocks.state(window);
        if (really >= NOW + 10 * HOUR) assert.equal(state, 'expired');
        else assert.equal(state, 'open');
      }
    }),
  );
});

test('a clock set back while the gateway is stopped opens nothing that the last record has seen end', () => {
  const window = readWindow({ window: { until: at(1) } });
  const { clocks } = clocksAt(NOW, NOW + 2 * HOUR);
  const found = clocks.state(window);
  assert.equal(found.state, 'expired');
  assert.match(found.why ?? '', new RegExp(`record before the start is of ${at(2)}.*clock was set back`));
  assert.match(found.why ?? '', /by about 120 min.*nor does a restart.*"The clock was ahead"/);
});

test('a clock set back while the gateway runs is told without a record, and one that is right again opens', () => {
  const window = readWindow({ window: { until: at(3) } });
  const { time, clocks } = clocksAt(NOW);
  time.steady += 4 * HOUR;
  assert.match(clocks.state(window).why ?? '', /machine's clock was set back, by about 240 min/);
  assert.doesNotMatch(clocks.state(window).why ?? '', /record/);
  const later = readWindow({ window: { until: at(5) } });
  time.wall += 4 * HOUR;
  assert.deepEqual(clocks.state(later), { state: 'open', closesAt: NOW + 5 * HOUR });
});

test('a clock set forward does not open what is not yet, and what it lets expire stays expired by it', () => {
  const { time, clocks } = clocksAt(NOW);
  time.wall += 5 * HOUR;
  const later = clocks.state(readWindow({ window: { from: at(4), until: at(40) } }));
  assert.equal(later.state, 'not_yet');
  assert.match(later.why ?? '', /set forward/);
  // It begins when four hours have really passed; in the words of the clock that callers have, that is nine.
  assert.equal(later.opensAt, NOW + 9 * HOUR);
  assert.equal(clocks.state(readWindow({ window: { until: at(4) } })).state, 'expired');
});

test('hours are judged by both clocks', () => {
  const window = readWindow({ window: { weekly: ['Wed 08:00-12:00 UTC'] } });
  const { time, clocks } = clocksAt(NOW);
  assert.equal(clocks.state(window).closesAt, NOW + 2 * HOUR);
  time.steady += 3 * HOUR;
  assert.equal(clocks.state(window).state, 'closed', 'the wall clock was held at ten');
  time.wall += 3 * HOUR;
  assert.equal(clocks.state(window).state, 'closed');
});

test('what is remembered of a window is what is found without remembering', async (t) => {
  const spans = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 1, max: 30 })), {
    maxLength: 3,
  });
  const moves = fc.array(fc.integer({ min: -20 * HOUR, max: 40 * HOUR }), { minLength: 1, maxLength: 12 });
  await fuzz(
    t,
    fc.property(spans, moves, fc.boolean(), (blackouts, steps, isWeekly) => {
      const window = readWindow({
        window: {
          from: at(-40),
          until: at(60),
          blackout: blackouts.map(([from, length]) => ({ from: at(from), until: at(from + length) })),
          ...(isWeekly && { weekly: ['Mon-Fri 08:00-18:00 Europe/Berlin', 'Sat 22:00-03:00 UTC'] }),
        },
      });
      // With equal clocks both say the same, so that only memory could make a difference.
      const { time, clocks } = clocksAt(NOW);
      for (const step of steps) {
        time.wall += step;
        time.steady += step;
        const { closesAt, opensAt, ...rest } = windowState(window, time.wall);
        assert.deepEqual(clocks.state(window), {
          ...rest,
          ...(closesAt !== undefined && { closesAt }),
          ...(opensAt !== undefined && { opensAt }),
        });
      }
    }),
  );
});
