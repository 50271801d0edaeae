import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeHealth } from '../../src/cli/health-report.ts';
import { describeError, printableJson } from '../../src/cli/run-report.ts';

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

test('control, format and direction characters are shown as escapes, line ends stay', () => {
  const hostile = ['\u0007', '\u001b[2J', '\u0085', '\u009b', '\u202e', '\u2066', '\u200b', '\u{e0041}', '\u2028'];
  for (const text of hostile) {
    const shown = printableJson({ text });
    assert.doesNotMatch(shown.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028]/u, JSON.stringify(text));
    assert.deepEqual(JSON.parse(shown), { text });
  }
  assert.equal(describeError('a\nb\u001b', 500).length, 1);
});
