import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseMoment } from '../../src/cli/duration.ts';

test('durations are a number with a unit and nothing else', () => {
  assert.equal(parseDuration('250ms'), 250);
  assert.equal(parseDuration('30s'), 30_000);
  assert.equal(parseDuration('90d'), 7_776_000_000);
  for (const text of ['', '30', 's', '-1s', '1.5h', '1 h', '1w', '1e3s', '99999999999d']) {
    assert.throws(() => parseDuration(text), { code: 'ERR_INPUT_INVALID' }, text);
  }
});

test('a moment is a duration from now or a date that is still to come', () => {
  const now = Date.parse('2026-11-22T00:00:00Z');
  assert.equal(parseMoment('1d', now), now + 86_400_000);
  assert.equal(parseMoment('2027-01-31', now), Date.parse('2027-01-31T00:00:00Z'));
  for (const text of ['2026-11-21', '2026-13-01', '2026-11-23Tx', 'tomorrow']) {
    assert.throws(() => parseMoment(text, now), { code: 'ERR_INPUT_INVALID' }, text);
  }
});
