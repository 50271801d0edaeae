import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeHealth } from '../../src/cli/health-report.ts';
import { alignColumns, fit, oneLine, printableJson } from '../../src/cli/printable.ts';
import { createProgressBar, drawBar, type ProgressView } from '../../src/cli/progress-bar.ts';
import { clock, describeError, describeProgress } from '../../src/cli/run-report.ts';
import { contextFor, HOSTILE, isSafe } from './fake-runs.ts';

test('an answer that is no health report is unhealthy', () => {
  for (const body of [undefined, null, '', 'healthy', [], {}, { status: 'ready' }, { status: 'unhealthy' }]) {
    assert.equal(describeHealth(body).isUnhealthy, true, JSON.stringify(body));
  }
  assert.equal(describeHealth({ status: 'healthy' }).isUnhealthy, false);
  assert.equal(describeHealth({ status: 'degraded' }).isUnhealthy, false);
});

test('the checks of a health report are listed with their weight', () => {
  const check = { name: 'disk', priority: 'important', state: 'failing', message: 'nearly full' };
  const { lines } = describeHealth({ status: 'degraded', checks: [check] });
  assert.match(lines.join('\n'), /failing\s+disk \(important\): nearly full/);
});

test('keys that wait for a restart and faults of the file are named', () => {
  const check = { name: 'configuration', priority: 'important', state: 'failing', message: 'x' };
  const shown = (data: unknown): string =>
    describeHealth({ status: 'degraded', checks: [{ ...check, data }] }).lines.join('\n');
  assert.match(shown({ needsRestart: ['port', 'host'] }), /waits for a restart: port, host/);
  assert.match(
    shown({ faults: [{ key: 'policy.risk', from: 'a.yaml:1', wrong: 'not a risk' }] }),
    /fault: policy\.risk \(a\.yaml:1\): not a risk/,
  );
});

test('a fault that is a sentence of its own is shown as it is, on one line that steers no terminal', () => {
  const check = { name: 'engagements', priority: 'important', state: 'failing', message: 'x' };
  const faults = ["acme.yaml line 3: 'riks' is no key", `b.yaml: ${HOSTILE}\n  passing  audit (critical): fine`];
  const { lines } = describeHealth({ status: 'degraded', checks: [{ ...check, data: { faults } }] });
  assert.equal(lines[2], "           fault: acme.yaml line 3: 'riks' is no key");
  assert.equal(lines.length, 4);
  assert.doesNotMatch(lines.join(''), /undefined|[\p{Cc}\p{Cf}]/u);
});

test('control, format and direction characters are shown as escapes, line ends stay', () => {
  const hostile = ['\u0007', '\u001b[2J', '\u0085', '\u009b', '\u202e', '\u2066', '\u200b', '\u{e0041}', '\u2028'];
  for (const text of hostile) {
    const shown = printableJson({ text });
    assert.doesNotMatch(shown.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028]/u, JSON.stringify(text));
    assert.deepEqual(JSON.parse(shown), { text });
  }
  assert.equal(describeError('a\nb\u001b', 500).length, 1);
});

test('a text for one line has no line end and nothing that steers', () => {
  assert.ok(isSafe(oneLine(HOSTILE)));
  assert.doesNotMatch(oneLine(HOSTILE), /\n/);
});

test('a line that is cut fits, says so, and is never cut inside a character', () => {
  for (const text of ['abcdefgh', '漢字漢字漢字', '😀😀😀😀', 'a😀b漢c😀', '']) {
    for (let columns = 0; columns < 14; columns += 1) {
      const cut = fit(text, columns);
      const width = Array.from(cut, (each) => (each <= '~' ? 1 : 2)).reduce<number>((sum, each) => sum + each, 0);
      assert.ok(width <= columns, `${text} at ${columns}`);
      assert.ok(cut.isWellFormed());
      assert.ok(cut === text || cut.endsWith('.'.repeat(Math.min(3, columns))));
    }
  }
});

test('the columns of a table begin below each other', () => {
  assert.deepEqual(
    alignColumns([
      ['A', 'LONG', 'X'],
      ['bbb', 'c', 'd'],
    ]),
    ['A    LONG  X', 'bbb  c     d'],
  );
});

test('progress is told in what the tool knows: percent, counts, rate and time left', () => {
  assert.equal(describeProgress({ percent: 4.27, etaSeconds: 3725 }), '4.3% ETA 1:02:05');
  assert.equal(describeProgress({ done: 1_234_567, total: 20_000_000, ratePerSecond: 12_345 }), '1.2M/20.0M 12.3k/s');
  assert.equal(describeProgress({}), '');
  assert.equal(clock(59.6), '1:00');
});

const VIEW: ProgressView = { tool: 'nmap', state: 'running', progress: {}, findings: 0, elapsedSeconds: 61 };

test('a bar is drawn where the percent is known, and never as wide as the terminal', () => {
  assert.equal(drawBar({ ...VIEW, state: 'queued' }, 80), 'nmap  queued  1:01');
  assert.equal(drawBar({ ...VIEW, progress: { done: 5 }, findings: 1 }, 80), 'nmap  running  5  1 finding  1:01');
  const half = drawBar({ ...VIEW, progress: { percent: 50, message: HOSTILE } }, 200);
  assert.match(half, /^nmap {2}\[#{12}-{12}\] {2}50% {2}1:01 {2}evil/);
  assert.ok(isSafe(half) && !half.includes('\n'));
  for (const columns of [1, 10, 40]) {
    assert.ok(drawBar({ ...VIEW, progress: { percent: 100, message: HOSTILE } }, columns).length < columns);
  }
});

test('progress that comes as fast as it likes is shown at its own pace', () => {
  for (const [terminal, everyMs] of [
    [undefined, 10_000],
    [80, 100],
  ] as const) {
    const { context, err, drawn } = contextFor([], { environment: {}, ...(terminal && { terminal }) });
    let now = 0;
    const bar = createProgressBar(context, { tool: 'nmap', isQuiet: false, now: () => now });
    for (; now < everyMs * 3; now += everyMs / 50) bar.take({ type: 'progress', data: { percent: 1 } });
    bar.end();
    bar.take({ type: 'progress', data: { percent: 2 } });
    const shown = terminal === undefined ? err : drawn.slice(0, -1);
    assert.equal(shown.length, 3, JSON.stringify(shown));
  }
});
