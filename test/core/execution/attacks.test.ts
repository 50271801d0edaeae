import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { processPlace } from '../../../src/core/execution/proc.ts';
import { isInner, isRoot, startBench } from './harness.ts';

/** Attacks on layers 0 and 1, once as whoever runs the tests and, when that is root, once more as nobody. */
const SELF = fileURLToPath(import.meta.url);
const NODE_AS_NOBODY = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--', process.execPath];

function field(report: string, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(report)?.[1] ?? 'absent';
}

void test('every layer is proved by its attacks', async (t) => {
  const { executor } = await startBench(t);
  assert.deepEqual(
    executor.layers.map(({ name, state }) => `${name} ${state}`),
    ['L0 proved', 'L1 proved', 'raw absent'],
    JSON.stringify(executor.layers, null, 2),
  );
});

void test('the environment is from scratch and nothing else of the gateway reaches the tool', async (t) => {
  process.env['LD_PRELOAD_OF_THE_GATEWAY'] = 'secret';
  t.after(() => delete process.env['LD_PRELOAD_OF_THE_GATEWAY']);
  const { run, fake } = await startBench(t);
  const { out } = await run({ binary: fake('report') });
  const section = (name: string) => out.split(`==${name}\n`)[1]?.split('==')[0]?.trim() ?? '';
  const names = section('environment')
    .split('\n')
    .map((line) => line.split('=')[0]);
  assert.deepEqual(
    names.toSorted((one = '', other = '') => one.localeCompare(other)),
    ['HOME', 'LC_ALL', 'PATH', 'SALLYPORT_RUN', 'TERM', 'TMPDIR'],
  );
  const [path, mode = ''] = section('directory').split('\n');
  assert.match(section('environment'), new RegExp(`^HOME=${path}$`, 'm'));
  assert.match(mode, /^drwx------ /);
  assert.equal(section('stdin'), '');
});

void test('a descriptor that the gateway itself inherited does not reach the tool', () => {
  const inner = `
    const { createExecutor } = await import(${JSON.stringify(new URL('../../../src/core/execution/executor.ts', import.meta.url))});
    const { systemClock } = await import(${JSON.stringify(new URL('../../../src/core/clock.ts', import.meta.url))});
    const { mkdtempSync, chmodSync, rmSync } = await import('node:fs');
    const directory = mkdtempSync('/tmp/sallyport-test-');
    chmodSync(directory, 0o755);
    const none = () => undefined;
    const executor = await createExecutor({ clock: systemClock, log: { info: none, warn: none, error: none },
      scratchParent: directory + '/scratch', uidBase: 64200, places: 1, killGraceMs: 10, rawEnabled: false });
    console.log(executor.layers[0].state, process.argv[1]);
    const limits = { stdoutBytes: 9999, stderrBytes: 99, atStdoutCap: 'kill', fileBytes: 1, dataBytes: 2 ** 28, addressSpaceBytes: 2 ** 31 };
    await executor.run({ runId: 'x', binary: '/bin/ls', argv: ['-l', '/proc/self/fd'], timeoutMs: 9999, capability: 'none', limits },
      { onStdout: (chunk) => console.log(String(chunk)), onStderr: none, signal: new AbortController().signal });
    await executor.close();
    rmSync(directory, { recursive: true });`;
  const script = 'exec 77</etc/hostname 78</etc/hostname; exec "$0" --input-type=module -e "$1"';
  const { stdout } = spawnSync('/bin/bash', ['-c', script, process.execPath, inner], { encoding: 'utf8' });
  assert.match(stdout, /^proved/);
  assert.match(stdout, / 1 -> /);
  assert.doesNotMatch(stdout, /hostname/);
});

void test('no capability, no new privileges, no groups', async (t) => {
  const { run, fake } = await startBench(t);
  const { out } = await run({ binary: fake('report') });
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(field(out, set), '0000000000000000', set);
  assert.equal(field(out, 'NoNewPrivs'), '1');
  if (!isRoot) return;
  assert.equal(field(out, 'CapBnd'), '0000000000000000');
  assert.equal(field(out, 'Groups').trim(), '');
});

void test('as root every run has a user id of its own that cannot touch the gateway or another run', async (t) => {
  if (!isRoot) return t.skip('needs root: without it tools share the gateway’s user');
  const { run, scratchParent, fake } = await startBench(t);
  writeFileSync(fake('key'), 'the key', { mode: 0o600 });
  const script = `id -u; echo secret > mine; ls ${scratchParent}; cat ${fake('key')}; kill -0 ${process.pid}; : > ${scratchParent}/x
    sleep 0.4; for other in ${scratchParent}/*/mine; do cat "$other"; done`;
  const both = await Promise.all([1, 2].map(() => run({ binary: '/bin/sh', argv: ['-c', script] })));
  const uids = both.map(({ out }) => Number(out.trim()));
  assert.ok(uids.every((uid) => uid >= 64_200 && uid < 66_000));
  assert.notEqual(uids[0], uids[1]);
  for (const { err } of both)
    assert.equal(err.match(/denied|not permitted|cannot create|No such file/g)?.length, 5, err);
});

void test('limits are in force inside: core, files, CPU, memory, open files, processes', async (t) => {
  const { run } = await startBench(t);
  const { out } = await run({ binary: '/bin/cat', argv: ['/proc/self/limits'], timeoutMs: 3000 });
  const limit = (name: string) =>
    out
      .split('\n')
      .find((line) => line.startsWith(name))
      ?.slice(26)
      .trim()
      .split(/\s+/);
  assert.deepEqual(limit('Max core file size')?.slice(0, 2), ['0', '0']);
  assert.deepEqual(limit('Max data size')?.slice(0, 2), ['268435456', '268435456']);
  assert.deepEqual(limit('Max address space')?.slice(0, 2), ['2147483648', '2147483648']);
  assert.ok(Number(limit('Max cpu time')?.[1]) >= 4);
  assert.ok(Number(limit('Max file size')?.[1]) <= 67_108_864);
  assert.ok(Number(limit('Max open files')?.[1]) <= 1024);
  if (isRoot) assert.ok(Number(limit('Max processes')?.[1]) <= 512);
});

void test('a tool that fills the disk is ended at the file limit', async (t) => {
  const { run, fake } = await startBench(t);
  const ran = await run({ binary: fake('fill-disk') });
  assert.equal(ran.signal, 'SIGXFSZ');
});

void test('a tool that eats memory is refused more', async (t) => {
  const { run, fake } = await startBench(t);
  const ran = await run({ binary: fake('eat-memory') });
  assert.doesNotMatch(ran.out, /took everything/);
  assert.notEqual(ran.exitCode, 0);
});

void test('a crash leaves no core file and tells its signal', async (t) => {
  const { run, fake } = await startBench(t);
  const ran = await run({ binary: fake('crash'), readBack: ['core*'] });
  assert.equal(ran.signal, 'SIGSEGV');
  assert.equal(ran.files.size, 0);
});

void test('a hostile directory is read back without following anything, and removed whole', async (t) => {
  const { run, fake, scratchParent } = await startBench(t);
  const victim = fake('victim');
  writeFileSync(victim, 'of the gateway', { mode: 0o644 });
  const ran = await run({
    binary: fake('litter'),
    argv: ['2000', '60', victim],
    readBack: ['*.txt', 'root/etc/hostname', '../*', 'many/1*', 'plain.txt'],
    timeoutMs: 60_000,
  });
  assert.equal(ran.out, 'littered\n', ran.err);
  assert.equal(ran.files.get('plain.txt')?.toString(), 'plain');
  const read = [...ran.files.keys()].filter((path) => !path.startsWith('many/'));
  assert.deepEqual(read, ['plain.txt']);
  assert.ok(ran.files.size <= 64);
  assert.deepEqual(readdirSync(scratchParent), []);
  assert.equal(readFileSync(victim, 'utf8'), 'of the gateway');
  assert.ok(existsSync('/etc/hostname'));
});

void test('a directory of very many files is removed', async (t) => {
  const files = process.env['SALLYPORT_TEST_NIGHTLY'] === undefined ? '10000' : '100000';
  const { run, fake, scratchParent } = await startBench(t);
  await run({ binary: fake('litter'), argv: [files, '1', '/etc/hostname'], timeoutMs: 120_000 });
  assert.deepEqual(readdirSync(scratchParent), []);
});

void test('a file read back is cut at its cap', async (t) => {
  const { run } = await startBench(t);
  const script = 'head -c 100000 /dev/zero > big; ln big hard; head -c 10 /dev/zero > small; ln -s small link';
  const ran = await run({ binary: '/bin/sh', argv: ['-c', script], readBack: ['*'], limits: { fileBytes: 1000 } });
  assert.deepEqual(
    [...ran.files].map(([path, content]) => [path, content.length]),
    [['small', 10]],
  );
  const again = await run({
    binary: '/bin/sh',
    argv: ['-c', 'head -c 5000 /dev/zero > big'],
    readBack: ['big'],
    limits: { fileBytes: 1000 },
  });
  assert.equal(again.files.get('big')?.length, 1000);
});

void test('a scratch parent that others may write is refused', async (t) => {
  const { directory } = await startBench(t);
  const planted = `${directory}/planted`;
  spawnSync('/bin/mkdir', ['-m', '777', planted]);
  await assert.rejects(startBench(t, { scratchParent: planted }), { code: 'ERR_EXEC_CONFINEMENT' });
  assert.equal(lstatSync(planted).mode & 0o777, 0o777);
});

void test('without util-linux layer 1 is absent, and as root the tool still has a user of its own', async (t) => {
  const { executor, run, fake } = await startBench(t, { programDirectories: ['/nonexistent'] });
  assert.deepEqual(
    executor.layers.map(({ state }) => state),
    ['proved', 'absent', 'absent'],
  );
  const ran = await run({ binary: fake('report') });
  assert.deepEqual(ran.layers, ['L0']);
  if (!isRoot) return;
  assert.equal(field(ran.out, 'CapEff'), '0000000000000000');
  assert.notEqual(field(ran.out, 'Uid').split('\t')[0], '0');
});

void test('a confinement that does nothing is reported as failed, never as proved', async (t) => {
  const { directory, fake } = await startBench(t);
  // A stand-in that takes the place of both programs and confines nothing.
  const fakeConfiner = '#!/usr/bin/perl\nwhile (@ARGV && (my $a = shift) ne "--") { }\nexec { $ARGV[0] } @ARGV;\n';
  for (const name of ['prlimit', 'setpriv']) writeFileSync(fake(name), fakeConfiner, { mode: 0o755 });
  const { executor, run } = await startBench(t, {
    programDirectories: [directory],
    scratchParent: `${directory}/second`,
  });
  assert.equal(executor.layers[1]?.state, 'failed', executor.layers[1]?.evidence);
  assert.ok(!(await run({})).layers.includes('L1'));
  // The user id does not mark these processes: they must be found all the same.
  const ran = await run({ binary: fake('escape'), argv: ['2'] });
  const pids = [...ran.out.matchAll(/escaped (\d+)/g)].map(([, pid]) => Number(pid));
  assert.equal(pids.length, 2);
  for (const pid of pids) assert.equal(processPlace(pid), undefined);
});

void test('NET_RAW alone reaches a raw tool and never another one', async (t) => {
  const { executor, run, fake } = await startBench(t, { rawEnabled: true });
  if (!executor.rawAvailable) return t.skip('needs NET_RAW: as root, or as ambient capability');
  const raw = await run({ binary: fake('report'), capability: 'raw' });
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb', ...(isRoot ? ['CapBnd'] : [])];
  for (const set of sets) assert.equal(field(raw.out, set), '0000000000002000', set);
  assert.deepEqual(raw.layers, ['L0', 'L1', 'raw']);
  const socket = "use Socket; socket(my $s, AF_INET, SOCK_RAW, 1) or die 'refused'; print 'opened'";
  const open = (capability: 'raw' | 'none') => run({ binary: '/usr/bin/perl', argv: ['-e', socket], capability });
  assert.equal((await open('raw')).out, 'opened');
  assert.match((await open('none')).err, /^refused/);
});

void test('the same attacks fail when the gateway itself is nobody, and with NET_RAW alone', async (t) => {
  if (!isRoot || isInner) return t.skip('needs root to become nobody; this pass is already without it');
  const probe = spawnSync('/usr/bin/setpriv', [...NODE_AS_NOBODY, '-e', `require('fs').accessSync('${SELF}')`]);
  if (probe.status !== 0) return t.skip('nobody may not read this checkout');
  const env: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', SALLYPORT_TEST_INNER: '1' };
  const raw = ['--inh-caps=+net_raw', '--ambient-caps=+net_raw'];
  for (const extra of [[], raw]) {
    const args = [...extra, ...NODE_AS_NOBODY, '--test-reporter=spec', '--test', '--test-isolation=none', SELF];
    const { status, stdout } = spawnSync('/usr/bin/setpriv', args, { env, encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /ℹ fail 0/);
    if (extra === raw) assert.doesNotMatch(stdout, /NET_RAW alone reaches a raw tool.*# (?:SKIP|needs)/);
  }
});
