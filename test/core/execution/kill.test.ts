import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { sweepLeftovers } from '../../../src/core/execution/leftovers.ts';
import { processEnvironment, processPlace } from '../../../src/core/execution/proc.ts';
import { signalGroup, signalProcess } from '../../../src/core/execution/signal.ts';
import { type Bench, collect, isInner, isRoot, publicDirectory, startBench } from './harness.ts';

/** Killing, once as whoever runs the tests and, when that is root, once more as nobody. */
const SELF = fileURLToPath(import.meta.url);
const SOURCE = new URL('../../../src/core/', import.meta.url).href;
/** The promise is 2 s; a busy machine gets 10 before the test says no, and the real time is printed. */
const KILL_LIMIT_MS = 10_000;

function living(directory: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => processPlace(pid) !== undefined)
    .filter((pid) => processEnvironment(pid).some((entry) => entry.startsWith(`HOME=${directory}/`)));
}

async function endsWhole(t: { diagnostic(message: string): void }, bench: Bench, argv: readonly string[]) {
  const call = new AbortController();
  let output = '';
  const [name = '', ...rest] = argv;
  const running = bench.executor.run(
    {
      runId: 'victim',
      binary: bench.fake(name),
      argv: rest,
      timeoutMs: 60_000,
      capability: 'none',
      limits: {
        stdoutBytes: 65_536,
        stderrBytes: 65_536,
        atStdoutCap: 'kill',
        fileBytes: 1,
        dataBytes: 2 ** 28,
        addressSpaceBytes: 2 ** 31,
      },
    },
    {
      onStdout: (chunk) => {
        output += chunk.toString();
        if (/ready|forked/.test(output)) call.abort();
      },
      onStderr: () => undefined,
      signal: call.signal,
    },
  );
  const ended = await running;
  t.diagnostic(`${argv.join(' ')}: nothing left after ${ended.killMs?.toFixed(0)} ms`);
  assert.equal(ended.ending, 'cancelled');
  assert.equal(ended.survivors, 0);
  assert.ok(ended.killMs !== undefined && ended.killMs < KILL_LIMIT_MS);
  assert.deepEqual(living(bench.directory), []);
  for (const [, pid] of output.matchAll(/escaped (\d+)/g)) assert.equal(processPlace(Number(pid)), undefined);
}

void test('a tool that ignores every polite signal is ended after the grace', async (t) => {
  await endsWhole(t, await startBench(t), ['stubborn']);
});

void test('daemons forked twice into sessions of their own end with their tool', async (t) => {
  await endsWhole(t, await startBench(t), ['escape', '3', 'stay']);
});

void test('daemons that shed the environment end too', async (t) => {
  await endsWhole(t, await startBench(t), ['escape', '3', 'stay', 'bare']);
});

void test('a fork bomb meets its limit and is ended whole', async (t) => {
  if (!isRoot) return t.skip('needs root: without a user id of its own the number of processes cannot be limited');
  await endsWhole(t, await startBench(t), ['fork-bomb']);
});

void test('a chain that forks and exits all the time ends with its tool', async (t) => {
  if (!isRoot) return t.skip('needs root: only a user id of its own can be ended in one pass');
  const bench = await startBench(t, { uidBase: 64_900 });
  for (let round = 0; round < 6; round += 1) {
    await endsWhole(t, bench, ['relay']);
    for (let look = 0; look < 20; look += 1) assert.deepEqual(living(bench.directory), []);
  }
});

void test('what a tool leaves behind at its normal end is swept', async (t) => {
  const bench = await startBench(t);
  for (const options of [[], ['bare']]) {
    const ran = await bench.run({ binary: bench.fake('escape'), argv: ['3', ...options] });
    assert.equal(ran.ending, 'exited');
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.survivors, 0);
    assert.ok(ran.killMs !== undefined);
    for (const [, pid] of ran.out.matchAll(/escaped (\d+)/g)) assert.equal(processPlace(Number(pid)), undefined);
  }
});

void test('a daemon whose main thread has ended is seen and ended like any other', async (t) => {
  const bench = await startBench(t);
  const ran = await bench.run({ binary: bench.fake('headless') });
  if (ran.out.startsWith('no threads')) return t.skip('needs a perl with threads');
  const pid = Number(/headless (\d+)/.exec(ran.out)?.[1]);
  assert.ok(pid > 1, ran.err);
  assert.equal(ran.survivors, 0);
  assert.ok(ran.killMs !== undefined, 'it was found');
  assert.equal(processPlace(pid), undefined);
});

void test('a tool that closes its output is still waited for and timed out', async (t) => {
  const { run, fake } = await startBench(t);
  const ran = await run({ binary: fake('hang-silent'), timeoutMs: 400 });
  assert.equal(ran.ending, 'timed_out');
  assert.ok(ran.durationMs >= 400);
});

void test('the run of another call survives the end of this one', async (t) => {
  const bench = await startBench(t);
  const other = new AbortController();
  const running = collect(bench.executor, { binary: '/bin/sleep', argv: ['600'] }, other.signal);
  await bench.run({ binary: bench.fake('escape'), argv: ['2'] });
  assert.equal(bench.executor.active, 1);
  assert.equal(living(bench.directory).length, 1);
  other.abort();
  assert.equal((await running).survivors, 0);
});

const LIFE = `
  const { createExecutor } = await import(process.argv[1] + 'execution/executor.ts');
  const { systemClock } = await import(process.argv[1] + 'clock.ts');
  const none = () => undefined;
  const executor = await createExecutor({ clock: systemClock, log: { info: none, warn: none, error: none },
    scratchParent: process.argv[2], uidBase: 64200, places: 4, killGraceMs: 100, rawEnabled: false });
  const limits = { stdoutBytes: 9999, stderrBytes: 9999, atStdoutCap: 'kill', fileBytes: 1, dataBytes: 2 ** 28, addressSpaceBytes: 2 ** 31 };
  const channels = { onStdout: (chunk) => process.stdout.write(chunk), onStderr: none, signal: new AbortController().signal };
  const start = (runId, argv) => executor.run({ runId, binary: '/usr/bin/perl', argv, timeoutMs: 600000, capability: 'none', limits }, channels);
  await Promise.all([start('plain', [process.argv[3] + '/stubborn']), start('daemons', [process.argv[3] + '/escape', '3', 'stay'])]);`;

async function startLife(bench: Bench, scratchParent: string) {
  const args = ['--input-type=module', '-e', LIFE, SOURCE, scratchParent, bench.directory];
  const life = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const chunk of life.stdout) {
    said += String(chunk);
    if (said.match(/ready/g)?.length === 2) break;
  }
  return life;
}

void test('when the gateway is killed its tools die, and its next start ends their daemons', async (t) => {
  const bench = await startBench(t);
  const scratchParent = `${bench.directory}/earlier`;
  const life = await startLife(bench, scratchParent);
  const before = living(bench.directory);
  assert.equal(before.length, 5);
  life.kill('SIGKILL');
  await once(life, 'exit');
  // PDEATHSIG: the tools themselves are gone without anybody's help; only the daemons need the next start.
  const until = Date.now() + KILL_LIMIT_MS;
  while (living(bench.directory).length > 3 && Date.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(living(bench.directory).length, 3);
  const { executor } = await startBench(t, { scratchParent });
  assert.equal(executor.layers[0]?.state, 'proved');
  assert.deepEqual(living(bench.directory), []);
  assert.deepEqual(readdirSync(scratchParent), []);
});

void test('the start of a gateway leaves the runs of a living one alone', async (t) => {
  const bench = await startBench(t);
  const life = await startLife(bench, `${bench.directory}/first`);
  const before = living(bench.directory).length;
  const second = await startBench(t, { scratchParent: `${bench.directory}/second` });
  await second.run({ binary: second.fake('escape'), argv: ['1'] });
  await second.executor.close();
  assert.equal(living(bench.directory).length, before);
  life.kill('SIGKILL');
  await once(life, 'exit');
  assert.equal((await sweepLeftovers(`${bench.directory}/first`, systemClock)).survivors, 0);
});

void test('the sweep takes only directories of runs', async (t) => {
  const directory = publicDirectory(t);
  writeFileSync(`${directory}/notes.txt`, 'keep');
  assert.deepEqual(await sweepLeftovers(directory, systemClock), { directories: 0, ended: 0, survivors: 0 });
  assert.ok(existsSync(`${directory}/notes.txt`));
});

void test('a signal can never mean “everything” or “my own group”', () => {
  for (const pid of [0, -1, 1, Number.NaN, 1.5]) {
    assert.throws(() => signalProcess(pid, 'SIGTERM'), RangeError);
    assert.throws(() => signalGroup(pid, 'SIGTERM'), RangeError);
  }
  assert.equal(signalProcess(process.pid, 0), true);
  assert.equal(signalProcess(2 ** 30, 0), false);
});

void test('nobody’s tools are ended as surely as root’s', (t) => {
  if (!isRoot || isInner) return t.skip('needs root to become nobody; this pass is already without it');
  const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--', process.execPath];
  const probe = spawnSync('/usr/bin/setpriv', [...asNobody, '-e', `require('fs').accessSync('${SELF}')`]);
  if (probe.status !== 0) return t.skip('nobody may not read this checkout');
  const env: NodeJS.ProcessEnv = { PATH: '/usr/bin:/bin', SALLYPORT_TEST_INNER: '1' };
  const args = [...asNobody, '--test-reporter=spec', '--test', '--test-isolation=none', SELF];
  const { status, stdout } = spawnSync('/usr/bin/setpriv', args, { env, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /ℹ fail 0/);
});
