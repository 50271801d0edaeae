import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diff } from '../../src/cli/diff.ts';
import { exportRun } from '../../src/cli/export.ts';
import { ROOT, temporaryDirectory } from './command-line.ts';
import { call, fakeRuns, HOSTILE, isSafe, json, recordOf, RESULT, type Route } from './fake-runs.ts';

const RUN = `/v1/runs/${RESULT.runId}`;
const NOTHING = { new: 0, gone: 0, changed: 0, unchanged: 5, not_looked_at: 0 };
const FINDING = {
  kind: 'service',
  target: 'web.lab.internal',
  address: '10.0.0.5',
  port: 80,
  protocol: 'tcp',
  title: 'nginx 1.2',
  severity: 'low',
  confidence: 'confirmed',
  attributes: { version: '1.2' },
};

const compared = (patch: object) =>
  json(200, { from: 'aaa', to: 'bbb', counts: NOTHING, notes: [], entries: [], ...patch });

test('diff exits with 0 only when everything was compared and is the same', async (t) => {
  for (const [counts, expected] of [
    [NOTHING, 0],
    [{ ...NOTHING, new: 1 }, 1],
    [{ ...NOTHING, gone: 1 }, 1],
    [{ ...NOTHING, changed: 1 }, 1],
    [{ ...NOTHING, not_looked_at: 1 }, 1],
  ] as const) {
    const routes = {
      'GET /v1/diff': compared({ counts }),
      'GET /v1/runs/bbb': json(200, recordOf({ complete: true })),
    };
    const { asked, environment } = await fakeRuns(t, routes);
    const { code, stdout } = await call(diff, ['aaa', 'bbb'], { environment });
    assert.equal(code, expected, JSON.stringify(counts));
    assert.match(stdout, /^aaa → bbb: \d new, \d gone, \d changed, 5 unchanged, \d not looked at$/m);
    assert.equal(asked[0]?.query.toString(), 'from=aaa&to=bbb&limit=200');
  }
});

test('a second run that did not look at everything is not known to be the same', async (t) => {
  const second = json(200, recordOf({ state: 'lost', complete: false }));
  const { environment } = await fakeRuns(t, { 'GET /v1/diff': compared({}), 'GET /v1/runs/bbb': second });
  const { code, stderr } = await call(diff, ['aaa', 'bbb'], { environment });
  assert.equal(code, 1);
  assert.match(stderr, /did not look at everything/);
});

test('a comparison that could not be made is exit code 2, as in diff(1), and 3 without a gateway', async (t) => {
  const { environment } = await fakeRuns(t, {});
  assert.equal((await call(diff, ['aaa', 'bbb'], { environment })).code, 2);
  for (const body of [
    {},
    { entries: [] },
    { entries: [{ state: 'x' }] },
    { from: 'a', to: 'b', notes: [], entries: [] },
  ]) {
    const wrong = await fakeRuns(t, { 'GET /v1/diff': json(200, body) });
    assert.ok((await call(diff, ['aaa', 'bbb'], { environment: wrong.environment })).code > 1, JSON.stringify(body));
  }
  const nobody = { SALLYPORT_DATA_DIR: temporaryDirectory(t) };
  assert.equal((await call(diff, ['aaa', 'bbb'], { environment: nobody })).code, 3);
});

test('diff prints a line for each entry of every page, with what changed and why, and notes beside it', async (t) => {
  const after = { ...FINDING, title: 'nginx 1.3', severity: 'high', attributes: { version: '1.3' } };
  const changes = ['severity', 'attributes.version', 'attributes.__proto__'];
  const { environment, asked } = await fakeRuns(t, {
    'GET /v1/diff': ({ seen, ...rest }) =>
      compared(
        seen.query.get('cursor') === null
          ? { notes: ['cut short'], entries: [{ state: 'changed', before: FINDING, after, changes }], nextCursor: 'c' }
          : {
              entries: [
                { state: 'new', after: { ...after, title: HOSTILE } },
                { state: 'not_looked_at', before: FINDING, why: 'port 80' },
              ],
            },
      )({ seen, ...rest }),
  });
  const { stdout, stderr } = await call(diff, ['aaa', 'bbb', '--unchanged'], { environment });
  const [, changed, added, unseen, ...more] = stdout.trimEnd().split('\n');
  assert.deepEqual(more, []);
  assert.match(
    changed ?? '',
    /^~ high .* nginx 1\.3 {2}changed: severity "low" → "high", attributes\.version "1\.2" → "1\.3"/,
  );
  assert.match(added ?? '', /^\+ high .*forged$/);
  assert.match(unseen ?? '', /^\? low .*web\.lab\.internal \[10\.0\.0\.5\] 80\/tcp .*\(port 80\)$/);
  assert.match(stderr, /cut short/);
  assert.ok(isSafe(stdout));
  assert.equal(asked[0]?.query.get('unchanged'), 'true');
  const asJson = await call(diff, ['aaa', 'bbb', '--json'], { environment });
  const whole = JSON.parse(asJson.stdout) as { entries: unknown[]; nextCursor?: string };
  assert.equal(whole.entries.length, 3);
  assert.equal(whole.nextCursor, undefined);
});

const BYTES = `${HOSTILE}\nan export\n`;
const ENDED = json(200, recordOf({ state: 'succeeded', complete: true }));
const whole: Route = ({ response }) => void response.writeHead(200).end(BYTES);
const broken: Route = ({ response }) => {
  response.writeHead(200).write(BYTES);
  setImmediate(() => response.destroy());
};

test('export writes the bytes as they are into a new file that only its owner reads', async (t) => {
  const { asked, environment, dataDir } = await fakeRuns(t, { [`GET ${RUN}`]: ENDED, [`GET ${RUN}/export`]: whole });
  const options = { environment, cwd: dataDir };
  const { code, stdout, stderr } = await call(
    exportRun,
    [RESULT.runId, '--format', 'csv', '--output', 'a.csv'],
    options,
  );
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
  assert.equal(readFileSync(join(dataDir, 'a.csv'), 'utf8'), BYTES);
  assert.equal(statSync(join(dataDir, 'a.csv')).mode & 0o777, 0o600);
  assert.equal(asked.at(-1)?.query.get('format'), 'csv');
});

test('export never writes over a file or through a link', async (t) => {
  const { environment, dataDir } = await fakeRuns(t, { [`GET ${RUN}`]: ENDED, [`GET ${RUN}/export`]: whole });
  writeFileSync(join(dataDir, 'there'), 'mine');
  symlinkSync(join(dataDir, 'nowhere'), join(dataDir, 'link'));
  for (const name of ['there', 'link', join('no', 'directory')]) {
    const args = [RESULT.runId, '--format', 'json', '--output', name];
    const { code, stderr } = await call(exportRun, args, { environment, cwd: dataDir });
    assert.equal(code, 1, name);
    assert.match(stderr, /nothing was written/);
  }
  assert.equal(readFileSync(join(dataDir, 'there'), 'utf8'), 'mine');
  assert.equal(existsSync(join(dataDir, 'nowhere')), false);
});

test('an export that breaks off leaves no file, and on standard output it is said that it is not whole', async (t) => {
  const { environment, dataDir } = await fakeRuns(t, { [`GET ${RUN}`]: ENDED, [`GET ${RUN}/export`]: broken });
  const before = readdirSync(dataDir);
  const args = [RESULT.runId, '--format', 'csv'];
  const toFile = await call(exportRun, [...args, '--output', 'a.csv'], { environment, cwd: dataDir });
  assert.equal(toFile.code, 3, toFile.stderr);
  assert.deepEqual(readdirSync(dataDir), before);
  const toPipe = await call(exportRun, args, { environment });
  assert.equal(toPipe.code, 3);
  assert.match(toPipe.stderr, /not whole/);
});

test('an export that is refused makes no file', async (t) => {
  const refusal = json(400, { code: 'ERR_INPUT_INVALID', message: 'No such format.', requestId: 'r' });
  const { environment, dataDir } = await fakeRuns(t, { [`GET ${RUN}`]: ENDED, [`GET ${RUN}/export`]: refusal });
  const args = [RESULT.runId, '--format', 'pdf', '--output', 'a.pdf'];
  const { code, stderr } = await call(exportRun, args, { environment, cwd: dataDir });
  assert.equal(code, 1);
  assert.match(stderr, /No such format/);
  assert.equal(existsSync(join(dataDir, 'a.pdf')), false);
});

test('an export of a run that goes on or was cut short says so, and a terminal is not steered by it', async (t) => {
  for (const [state, warning] of [
    ['running', /known now/],
    ['timed_out', /incomplete/],
  ] as const) {
    const routes = { [`GET ${RUN}`]: json(200, recordOf({ state })), [`GET ${RUN}/export`]: whole };
    const { environment } = await fakeRuns(t, routes);
    const args = [RESULT.runId, '--format', 'markdown'];
    const shown = await call(exportRun, args, { environment, terminal: 80 });
    assert.equal(shown.code, 0);
    assert.match(shown.stderr, warning);
    assert.ok(isSafe(shown.stdout));
    // A pipe gets every byte.
    assert.equal((await call(exportRun, args, { environment })).stdout, BYTES);
  }
});

test('a reader that goes away ends an export without a stack trace', async (t) => {
  const flood: Route = ({ response }) => void response.writeHead(200).end('x'.repeat(4_194_304));
  const { environment } = await fakeRuns(t, { [`GET ${RUN}`]: ENDED, [`GET ${RUN}/export`]: flood });
  const args = ['--disable-sigusr1', join(ROOT, 'src', 'cli', 'main.ts'), 'export', RESULT.runId, '--format', 'csv'];
  const child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 1);
  assert.equal(Buffer.concat(errors).toString('utf8'), 'sallyport: the export could not be written (EPIPE)\n');
});
