import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { cancel } from '../../src/cli/cancel.ts';
import { diff } from '../../src/cli/diff.ts';
import { exportRun } from '../../src/cli/export.ts';
import { run } from '../../src/cli/run.ts';
import { runs } from '../../src/cli/runs.ts';
import { show } from '../../src/cli/show.ts';
import { watch } from '../../src/cli/watch.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { ended, startCli } from './command-line.ts';
import { call } from './fake-runs.ts';

/** A real gateway that listens, found by its data directory as every other. */
async function listening(t: TestContext) {
  const { app, dataDir, key } = await startTestGateway(t);
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  writeFileSync(join(dataDir, 'address'), `${address}\n`);
  writeFileSync(join(dataDir, 'first-key'), await key(), { mode: 0o600 });
  return { dataDir, key, environment: { SALLYPORT_DATA_DIR: dataDir } };
}

test('a run is started, followed, listed, shown, compared and exported through a real gateway', async (t) => {
  const { environment, dataDir } = await listening(t);
  const options = { environment, cwd: dataDir };
  const first = await call(run, ['echo', 'word=hello', '--json'], options);
  assert.equal(first.code, 0, first.stderr);
  const { runId, outcome, result } = JSON.parse(first.stdout) as { runId: string; outcome: string; result: unknown };
  assert.equal(outcome, 'succeeded');
  assert.deepEqual(result, { text: 'hello\n' });
  const second = await call(run, ['echo', 'word=hello', '--detach'], options);
  assert.equal(second.code, 0, second.stderr);
  const secondId = second.stdout.trim();
  assert.equal((await call(watch, [secondId], options)).code, 0);

  const listed = await call(runs, ['--tool', 'echo', '--state', 'succeeded', '--since', '1h', '--json'], options);
  const ids = (JSON.parse(listed.stdout) as Run[]).map((each) => each.runId);
  assert.deepEqual(ids, [secondId, runId], listed.stderr);
  assert.match((await call(runs, ['--limit', '1'], options)).stdout, /^RUN .*\n.*echo +succeeded/);
  assert.match((await call(show, [runId], options)).stdout, /^echo succeeded/);
  assert.equal((await call(show, [runId, '--output'], options)).stdout, 'hello\n');
  assert.match((await call(show, [runId, '--result'], options)).stdout, /hello/);
  assert.equal((await call(show, [runId, '--findings'], options)).code, 0);

  const compared = await call(diff, [runId, secondId], options);
  assert.equal(compared.code, 0, compared.stdout + compared.stderr);
  const exported = await call(exportRun, [runId, '--format', 'json', '--output', 'run.json'], options);
  assert.equal(exported.code, 0, exported.stderr);
  assert.ok(readFileSync(join(dataDir, 'run.json'), 'utf8').includes(runId));
  assert.equal((await call(exportRun, [runId, '--format', 'nope'], options)).code, 1);
});

test('Ctrl-C ends the real run, and its record says so', async (t) => {
  const { environment } = await listening(t);
  const child = startCli(['run', 'sleep', '--input', '{"seconds":60}'], { environment });
  const end = ended(child);
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk: Buffer) => chunk.includes('sleep running') && resolve());
    child.once('exit', () => resolve());
  });
  child.kill('SIGINT');
  const { code, stderr } = await end;
  assert.equal(code, 130, stderr);
  const listed = await call(runs, ['--json'], { environment });
  assert.equal((JSON.parse(listed.stdout) as Run[])[0]?.state, 'cancelled');
});

test('a run of somebody else is not there, for no verb', async (t) => {
  const { environment, dataDir, key } = await listening(t);
  const started = await call(run, ['sleep', '--input', '{"seconds":60}', '--detach'], { environment });
  const runId = started.stdout.trim();
  writeFileSync(join(dataDir, 'other'), await key(['runs:read', 'runs:cancel', 'findings:read'], 'other'));
  const other = ['--key-file', join(dataDir, 'other')];
  for (const [verb, ...args] of [
    [show],
    [show, '--result'],
    [show, '--findings'],
    [show, '--output'],
    [watch],
    [cancel],
    [exportRun, '--format', 'json'],
  ] as const) {
    const { code, stderr } = await call(verb, [runId, ...args, ...other], { environment });
    assert.equal(code, 1);
    assert.match(stderr, /^ERR_RUN_UNKNOWN/);
  }
  assert.equal((await call(diff, [runId, runId, ...other], { environment })).code, 2);
  assert.equal((await call(runs, ['--json', ...other], { environment })).stdout, '[]\n');
  const own = await call(cancel, [runId], { environment });
  assert.equal(own.code, 0, own.stderr);
});
