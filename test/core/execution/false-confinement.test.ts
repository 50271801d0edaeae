/* A program that takes the place of one that confines, and confines nothing, is never reported as proved. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch } from 'node:process';
import { test, type TestContext } from 'node:test';
import { findLauncher, type LauncherPlace } from '../../../src/core/execution/launcher.ts';
import { SYSTEM_DIRECTORIES } from '../../../src/core/execution/programs.ts';
import { signalProcess } from '../../../src/core/execution/signal.ts';
import type { LayerName } from '../../../src/core/execution/types.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';
import { living, publicDirectory, startBench } from './harness.ts';

/**
 * Drops every option up to the `--` and becomes what follows. What is stopped in the place of the confinement is only
 * what a machine that tests run on would not survive.
 */
const NOTHING = `while (@ARGV && (my $option = shift) ne "--") { }
exec 'BUILD/prlimit', '--as=1000000000', '--fsize=100000000', '--nproc=1500', '--', @ARGV or exit 125;\n`;
const PASS_THROUGH = `#!BUILD/perl\n${NOTHING}`;
/** The same, saying on the status socket what a launcher says that confined. */
const LYING_LAUNCHER = `#!BUILD/perl
open(my $status, '>&=', 3) or exit 125;
syswrite($status, "ready abi=6 tcp=1 scope=1\\n");
close $status;
${NOTHING}`;
/** It goes on as such a launcher, and says that it ended nobody. */
const LYING_SUPERVISOR = LYING_LAUNCHER.replace('scope=1\\n', 'scope=1\\nend 0\\n').replace(
  'exec ',
  'shift; shift while $ARGV[0] =~ /=/; shift;\nexec ',
);
/** Takes the place of a program of the system: it has the same interpreter as every script. */
const SYSTEM_STAND_IN =
  '#!/usr/bin/perl\nwhile (@ARGV && (my $option = shift) ne "--") { }\nexec { $ARGV[0] } @ARGV;\n';
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** A build of its own in which some of the programs are stand-ins. */
function buildWith(t: TestContext, standIns: Readonly<Record<string, string>>): LauncherPlace {
  const real = findLauncher(LAUNCHER_PLACE);
  if (typeof real === 'string') throw new Error(real);
  const place = publicDirectory(t);
  const [sources, builds] = [`${place}/sources`, `${place}/builds`];
  const source = '/* none */\n';
  const hash = createHash('sha256')
    .update(source)
    .update(`${MACHINES[arch] ?? arch}\n`);
  const build = `${builds}/${hash.digest('hex')}`;
  mkdirSync(sources);
  mkdirSync(build, { recursive: true, mode: 0o755 });
  writeFileSync(`${sources}/launcher.c`, source);
  for (const name of ['supervisor', 'launcher', 'egress', 'attacker']) {
    const path = `${build}/${name}`;
    if (standIns[name] === undefined) copyFileSync(`${real.directory}/${name}`, path);
    else writeFileSync(path, standIns[name].replaceAll('BUILD', build));
    chmodSync(path, 0o755);
  }
  // Bubblewrap shows this directory to the launcher, and none with an interpreter.
  for (const name of ['perl', 'prlimit']) {
    copyFileSync(`/usr/bin/${name}`, `${build}/${name}`);
    chmodSync(`${build}/${name}`, 0o755);
  }
  return { sources, builds };
}

async function stateOf(t: TestContext, layer: LayerName, overrides: Parameters<typeof startBench>[1]) {
  const bench = await startBench(t, overrides);
  t.after(() => {
    // The attack leaves a daemon that hides; nothing here ended it.
    for (const pid of living(bench.directory)) signalProcess(pid, 'SIGKILL');
  });
  const found = bench.executor.layers.find(({ name }) => name === layer);
  assert.ok(found !== undefined);
  t.diagnostic(`${layer} ${found.state}: ${found.evidence}`);
  return { ...bench, state: found.state, evidence: found.evidence };
}

test('native programs that only say that they confine are a failed layer, named on no run', async (t) => {
  const launcher = buildWith(t, { supervisor: LYING_SUPERVISOR, launcher: LYING_LAUNCHER });
  const { state, evidence, run } = await stateOf(t, 'L2', { disable: ['L3'], launcher });
  assert.equal(state, 'failed');
  for (const attack of ['write-outside', 'exec-other', 'setsid', 'daemon']) assert.match(evidence, RegExp(attack));
  assert.ok(!(await run({})).layers.includes('L2'));
});

test('a launcher that only says that it confines is found out where bubblewrap starts it', async (t) => {
  const launcher = buildWith(t, { launcher: LYING_LAUNCHER });
  const { state, evidence, run, executor } = await stateOf(t, 'L2', { launcher });
  const files = executor.layers.find(({ name }) => name === 'L3');
  // Without bubblewrap the supervisor itself becomes the launcher, and this one is never started.
  if (files?.state === 'absent') return t.skip(`bubblewrap starts nothing here: ${files.evidence}`);
  assert.equal(state, 'failed');
  for (const attack of ['link-result', 'setsid', 'unix-socket']) assert.match(evidence, RegExp(attack));
  assert.ok(!(await run({})).layers.includes('L2'));
});

test('native programs that say nothing start nothing, and runs go on in layer 1 of util-linux', async (t) => {
  const launcher = buildWith(t, { supervisor: PASS_THROUGH, launcher: PASS_THROUGH });
  const { state, run, executor } = await stateOf(t, 'L2', { disable: ['L3'], launcher });
  assert.equal(state, 'failed');
  assert.equal(executor.layers.find(({ name }) => name === 'L1')?.state, 'proved');
  const ran = await run({ binary: '/bin/echo', argv: ['ran'] });
  assert.deepEqual([ran.out, ran.layers], ['ran\n', ['L0', 'L1']]);
});

test('a supervisor that does not supervise is a failed layer', async (t) => {
  const { state, evidence, fake, run, directory } = await stateOf(t, 'L2', {
    disable: ['L3'],
    launcher: buildWith(t, { supervisor: SYSTEM_STAND_IN }),
  });
  assert.equal(state, 'failed');
  assert.equal(evidence, 'Not stopped: daemon.');
  const ran = await run({ binary: fake('escape'), argv: ['2'] });
  assert.ok(!ran.layers.includes('L2'));
  assert.equal(ran.survivors, 0);
  assert.deepEqual(living(directory), []);
});

test('a bubblewrap that only executes what follows is a failed layer', async (t) => {
  const directory = publicDirectory(t);
  writeFileSync(`${directory}/bwrap`, SYSTEM_STAND_IN, { mode: 0o755 });
  const programDirectories = [directory, ...SYSTEM_DIRECTORIES];
  const { state, evidence, run } = await stateOf(t, 'L3', { disable: ['L2'], programDirectories });
  assert.equal(state, 'failed');
  for (const attack of ['read-key', 'write-outside', 'see-processes']) assert.match(evidence, RegExp(attack));
  assert.ok(!(await run({})).layers.includes('L3'));
});

test('a bubblewrap that cannot make its namespaces is absent, and runs go on without it', async (t) => {
  const directory = publicDirectory(t);
  const refusing = '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n';
  writeFileSync(`${directory}/bwrap`, refusing, { mode: 0o755 });
  for (const disable of [['L2'], []] as const) {
    const programDirectories = [directory, ...SYSTEM_DIRECTORIES];
    const { state, run } = await stateOf(t, 'L3', { disable, programDirectories });
    assert.equal(state, 'absent');
    assert.equal((await run({})).exitCode, 0);
  }
});

test('a prlimit and a setpriv that confine nothing are a failed layer, and the tree is found all the same', async (t) => {
  const directory = publicDirectory(t);
  for (const name of ['prlimit', 'setpriv']) writeFileSync(`${directory}/${name}`, SYSTEM_STAND_IN, { mode: 0o755 });
  const bench = await stateOf(t, 'L1', { disable: ['L2', 'L3'], programDirectories: [directory] });
  assert.equal(bench.state, 'failed');
  assert.ok(!(await bench.run({})).layers.includes('L1'));
  const ran = await bench.run({ binary: bench.fake('escape'), argv: ['2'] });
  assert.equal(ran.out.match(/escaped \d+/g)?.length, 2);
  assert.deepEqual(living(bench.directory), []);
});

test('a build that others may write is not used', async (t) => {
  const launcher = buildWith(t, {});
  const found = findLauncher(launcher);
  assert.ok(typeof found !== 'string');
  chmodSync(found.launcher, 0o777);
  assert.equal((await stateOf(t, 'L2', { disable: ['L3'], launcher })).state, 'absent');
});

test('a build of other sources is not used', async (t) => {
  const launcher = buildWith(t, {});
  writeFileSync(
    `${launcher.sources}/launcher.c`,
    `${readFileSync(`${launcher.sources}/launcher.c`, 'utf8')}// newer\n`,
  );
  assert.equal((await stateOf(t, 'L2', { disable: ['L3'], launcher })).state, 'absent');
});
