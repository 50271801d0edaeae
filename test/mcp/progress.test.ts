import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createProgress, type ProgressNote } from '../../src/mcp/progress.ts';
import { HandClock } from '../fixtures/mcp/gateway.ts';

function setUp(intervalMs = 1000) {
  const clock = new HandClock();
  const sent: ProgressNote[] = [];
  const state = { isSlow: false };
  const progress = createProgress({ clock, intervalMs, send: (note) => sent.push(note), isSlow: () => state.isSlow });
  return { clock, sent, state, progress };
}

test('whatever a tool reports, progress only rises and stays within its total', () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant('progress' as const), percent: fc.double({ min: -50, max: 250 }) }),
    fc.record({ kind: fc.constant('progress' as const), done: fc.integer(), total: fc.integer() }),
    fc.record({ kind: fc.constant('finding' as const), message: fc.string() }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const { clock, sent, progress } = setUp();
      for (const each of events) {
        clock.ms += 1000;
        progress.offer(each);
      }
      const values = sent.map((note) => note.progress);
      assert.equal(values.length, events.length);
      for (const [index, value] of values.entries()) assert.ok(value > (values[index - 1] ?? 0) && value <= 100);
    }),
  );
});

test('at most one note per interval, and the newest waits for the next', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { clock, sent, progress } = setUp();
  for (let percent = 1; percent <= 50; percent += 1)
    progress.offer({ kind: 'progress', percent, message: `${percent}` });
  assert.deepEqual(sent, [{ progress: 1, total: 100, message: '1' }]);
  clock.ms += 1000;
  t.mock.timers.tick(1000);
  assert.deepEqual(sent[1], { progress: 50, total: 100, message: '50' });
  assert.equal(sent.length, 2);
});

test('nothing is sent after the end, not even what waited', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { clock, sent, progress } = setUp();
  progress.offer({ kind: 'progress', percent: 1 });
  progress.offer({ kind: 'progress', percent: 2 });
  progress.end();
  clock.ms += 5000;
  t.mock.timers.tick(5000);
  progress.offer({ kind: 'progress', percent: 3 });
  assert.equal(sent.length, 1);
});

test('a slow reader misses notes and gets the newest one when it keeps up again', () => {
  const { clock, sent, state, progress } = setUp();
  state.isSlow = true;
  for (let percent = 1; percent <= 5; percent += 1) {
    clock.ms += 1000;
    progress.offer({ kind: 'progress', percent });
  }
  assert.equal(sent.length, 0);
  state.isSlow = false;
  clock.ms += 1000;
  progress.offer({ kind: 'finding', message: 'port 22' });
  assert.deepEqual(sent, [{ progress: 5, total: 100, message: 'port 22' }]);
});

test('a message of a target is short and shows what would be hidden', () => {
  const { sent, progress } = setUp();
  progress.offer({ kind: 'finding', message: `a\u202eb\u001b[31m\n${'x'.repeat(1000)}` });
  assert.match(sent[0]?.message ?? '', /^a\\u202eb\\u001b\[31m\\u000ax+$/);
  assert.ok((sent[0]?.message ?? '').length < 300);
});
