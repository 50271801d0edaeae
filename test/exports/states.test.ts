import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { EXPORT_FORMATS, exportFileName, exportText } from '../../src/exports/formats.ts';
import { noticesOf } from '../../src/exports/notices.ts';
import { sampleFinding, sampleRun, sourceOf, textOf, WHOLE } from './sample.ts';

const error = { code: 'ERR_TOOL_TIMEOUT', message: 'the time limit of 600 s ended it' };
/** Runs that are not whole, and what their export must say. */
const NOT_WHOLE: readonly (readonly [change: Partial<Run>, says: string])[] = [
  [{ state: 'awaiting_approval' }, 'waits for an approval'],
  [{ state: 'queued', startedAt: null, endedAt: null }, 'has not started'],
  [{ state: 'running', endedAt: null, complete: false }, 'still going on'],
  [{ state: 'failed', error }, 'failed'],
  [{ state: 'timed_out', error }, 'the time limit of 600 s ended it'],
  [{ state: 'cancelled' }, 'was cancelled'],
  [{ state: 'ended_by_policy' }, 'ended by policy'],
  [{ state: 'lost' }, 'was lost'],
  [{ complete: false }, 'did not finish looking'],
  [{ stdout: { bytes: 9, truncated: true, keptBytes: 8, sha256: null } }, 'wrote more to stdout than was kept'],
];

for (const format of EXPORT_FORMATS) {
  test(`an export as ${format} of a run that is not whole says so at its beginning`, async () => {
    for (const [change, says] of NOT_WHOLE) {
      const text = await textOf(format, sourceOf(sampleRun(change), [sampleFinding()]));
      assert.ok(text.includes(says), `${says} is not in ${format}`);
      assert.ok(text.indexOf(says) < text.indexOf('nginx 1.22.1'), `${says} stands behind the findings`);
    }
  });

  test(`an export as ${format} tells what was not looked at and what was done in another way`, async () => {
    const run = sampleRun({ degraded: ['-sS became -sT: no raw sockets'] });
    const coverage = { areas: WHOLE.areas, missing: ['ports 1001-65535 of web.lab.test'] };
    const text = await textOf(format, sourceOf(run, [], coverage));
    assert.ok(text.includes('-sS became -sT: no raw sockets'));
    assert.ok(text.includes('ports 1001-65535 of web.lab.test'));
  });

  test(`an export as ${format} of a whole run has no warning`, async () => {
    const source = sourceOf(sampleRun(), []);
    assert.deepEqual(noticesOf(source), []);
    assert.doesNotMatch(await textOf(format, source), /INCOMPLETE|not listed/);
  });

  test(`an export as ${format} reads findings as its parts are taken, and lets go when nobody reads on`, async () => {
    const source = sourceOf(sampleRun(), endless());
    const parts = exportText(format, source);
    for (let taken = 0; taken < 4; taken += 1) await parts.next();
    assert.ok(source.read.count < 2000, `${source.read.count} findings were read for four parts`);
    await parts.return(undefined);
    assert.equal(source.read.closed, true);
  });
}

function* endless() {
  for (;;) yield sampleFinding({ evidence: 'x'.repeat(100) });
}

test('an ended run without a record of its coverage says that nobody knows what was looked at', () => {
  const codes = (run: Run) => noticesOf({ run, coverage: undefined }).map(({ code }) => code);
  assert.deepEqual(codes(sampleRun()), ['coverage_unknown']);
  assert.deepEqual(codes(sampleRun({ state: 'running' })), ['unfinished']);
});

test('the name of a file cannot leave its header or its directory', () => {
  assert.equal(exportFileName('sarif', { tool: 'nmap', runId: 'r-1' }), 'sallyport-nmap-r-1.sarif');
  assert.equal(exportFileName('defectdojo', { tool: 'nmap', runId: 'r-1' }), 'sallyport-nmap-r-1.defectdojo.json');
  for (const runId of ['a"b', 'a\r\nSet-Cookie: x', '../../x', 'a/b', 'a b']) {
    assert.throws(() => exportFileName('csv', { tool: 'nmap', runId }), { code: 'ERR_INTERNAL' });
  }
});
