import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from '../../src/cli/command.ts';
import { backup } from '../../src/cli/backup.ts';
import { cancel } from '../../src/cli/cancel.ts';
import { diff } from '../../src/cli/diff.ts';
import { doctor } from '../../src/cli/doctor.ts';
import { exportRun } from '../../src/cli/export.ts';
import { keys } from '../../src/cli/keys.ts';
import { logs } from '../../src/cli/logs.ts';
import { restart } from '../../src/cli/restart.ts';
import { run } from '../../src/cli/run.ts';
import { runs } from '../../src/cli/runs.ts';
import { show } from '../../src/cli/show.ts';
import { status } from '../../src/cli/status.ts';
import { stop } from '../../src/cli/stop.ts';
import { up } from '../../src/cli/up.ts';
import { validate } from '../../src/cli/validate.ts';
import { version } from '../../src/cli/version.ts';
import { watch } from '../../src/cli/watch.ts';
import { ROOT, runCli, temporaryDirectory } from './command-line.ts';
import { contextFor } from './fake-runs.ts';

test('help and no verb at all print the usage and succeed', async () => {
  for (const args of [['help'], ['--help'], []]) {
    const { code, stdout } = await runCli(args);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: sallyport VERB/);
  }
});

test('help for a verb prints its lines and succeeds, however it is asked', async () => {
  for (const args of [
    ['help', 'run'],
    ['run', '--help'],
    ['run', 'dig', '-h'],
  ]) {
    const { code, stdout } = await runCli(args);
    assert.equal(code, 0, args.join(' '));
    assert.match(stdout, /^ {2}run TOOL/m);
    assert.doesNotMatch(stdout, /keys create/);
  }
  assert.equal((await runCli(['help', 'nope'])).code, 2);
});

test('an unknown verb is wrong usage, also one that every object has', async () => {
  for (const verb of ['nope', 'constructor', '__proto__', '']) {
    const { code, stdout, stderr } = await runCli([verb]);
    assert.equal(code, 2, verb);
    assert.equal(stdout, '');
    assert.match(stderr, /Usage: sallyport VERB/);
  }
});

test('version prints what package.json says', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const verb of ['version', '--version']) {
    const { code, stdout } = await runCli([verb]);
    assert.equal(code, 0);
    assert.equal(stdout, `sallyport ${version} (node ${process.versions.node})\n`);
  }
});

const COMMANDS: Readonly<Record<string, Command>> = {
  up,
  stop,
  restart,
  status,
  logs,
  validate,
  doctor,
  keys,
  run,
  runs,
  show,
  watch,
  cancel,
  diff,
  export: exportRun,
  backup,
  version,
};

test('an option that a verb does not have, a word too many and a bad value are wrong usage for every verb', async (t) => {
  const directory = temporaryDirectory(t);
  const { context } = contextFor([], { environment: { SALLYPORT_DATA_DIR: directory }, cwd: directory });
  const calls = [
    ...Object.keys(COMMANDS).flatMap((verb) => [
      [verb, '--nope'],
      [verb, 'two', 'words', 'more'],
    ]),
    ['logs', '--lines', 'many'],
    ['logs', '--lines'],
    ['keys'],
    ['keys', 'steal'],
    ['keys', 'create'],
    ['keys', 'create', 'a', 'b', '--scope', 'tools:read'],
    ['keys', 'list', 'x'],
    ['keys', 'revoke'],
    ['run'],
    ['run', '../admin'],
    ['run', 'dig', 'name'],
    ['run', 'dig', '=value'],
    ['run', 'dig', 'name=a', 'name=b'],
    ['run', 'dig', '--input', '[1]'],
    ['run', 'dig', '--input', '{'],
    ['run', 'dig', '--input', '{}', 'name=a'],
    ['run', 'dig', 'name=a', '--timeout', 'soon'],
    ['run', 'dig', 'name=a', '--key-file', '/nonexistent/key'],
    ['runs', '--limit', '0'],
    ['runs', '--limit', '10001'],
    ['runs', '--limit', '1e2'],
    ['runs', '--state', 'fine'],
    ['runs', '--state', ''],
    ['runs', '--since', 'yesterday'],
    ['runs', '--since', '2026-99-99'],
    ['backup'],
    ['show'],
    ['show', 'a', '--result', '--findings'],
    ['show', 'a', '--output', '--json'],
    ['watch'],
    ['cancel'],
    ['diff', 'a'],
    ['diff', 'a', 'b', 'c'],
    ['diff', 'a', '../b'],
    ['export', 'a'],
    ['export', 'a', '--format', '../x'],
    ['export', 'a', '--format', 'csv', '--output', ''],
  ];
  for (const [verb = '', ...args] of calls) {
    await assert.rejects(
      async () => COMMANDS[verb]?.({ ...context, args }),
      { code: 'ERR_INPUT_INVALID' },
      [verb, ...args].join(' '),
    );
  }
});

test('wrong usage ends with exit code 2 and the code of the error', async () => {
  const { code, stdout, stderr } = await runCli(['logs', '--nope']);
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^sallyport: ERR_INPUT_INVALID: /);
});
