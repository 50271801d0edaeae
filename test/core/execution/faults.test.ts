/* A confinement that cannot be set up any more: each cause has its code, nothing of the tool runs, and the next good start clears it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findLauncher } from '../../../src/core/execution/launcher.ts';
import { findProgram, SYSTEM_DIRECTORIES } from '../../../src/core/execution/programs.ts';
import type { LayerName } from '../../../src/core/execution/types.ts';
import { LAUNCHER_PLACE } from '../../fixtures/launcher-place.ts';
import { type Bench, publicDirectory, startBench } from './harness.ts';

const SHORT_OF = fileURLToPath(new URL('./short-of.ts', import.meta.url));

/** The native programs in a place where they can be taken away. */
function ownBuild(t: TestContext) {
  const builds = publicDirectory(t);
  const real = findLauncher(LAUNCHER_PLACE);
  if (typeof real === 'string') throw new Error(real);
  cpSync(real.directory, `${builds}/${real.directory.split('/').at(-1)}`, { recursive: true });
  const place = { sources: LAUNCHER_PLACE.sources, builds };
  const found = findLauncher(place);
  if (typeof found === 'string') throw new Error(found);
  return { place, found };
}

/** A program of the system in a directory of its own, so that it can be taken away. */
function ownProgram(t: TestContext, name: string) {
  const directory = publicDirectory(t);
  const path = `${directory}/${name}`;
  copyFileSync(findProgram(name) ?? '', path);
  chmodSync(path, 0o755);
  return { path, programDirectories: [directory, ...SYSTEM_DIRECTORIES] };
}

async function isRefused({ run, executor, scratchParent }: Bench, code: string) {
  const ran = await run({ binary: '/bin/sh', argv: ['-c', 'echo it ran'] });
  assert.deepEqual([ran.ending, ran.startFault?.code, ran.out], ['not_started', code, ''], ran.startFault?.message);
  assert.equal(executor.lastFault()?.code, code);
  assert.deepEqual(readdirSync(scratchParent), []);
}

async function isGoodAgain({ run, executor }: Bench) {
  assert.equal((await run({ binary: '/bin/echo', argv: ['it ran'] })).out, 'it ran\n');
  assert.equal(executor.lastFault(), undefined);
}

async function goneFor(bench: Bench, path: string) {
  renameSync(path, `${path}.away`);
  await isRefused(bench, 'HELPER_MISSING');
  renameSync(`${path}.away`, path);
  await isGoodAgain(bench);
}

test('the supervisor was removed after the start', async (t) => {
  const { place, found } = ownBuild(t);
  await goneFor(await startBench(t, { launcher: place, disable: ['L3', 'L5'] }), found.supervisor);
});

test('the launcher was removed after the start, where bubblewrap starts it', async (t) => {
  const { place, found } = ownBuild(t);
  const bench = await startBench(t, { launcher: place, disable: ['L5'] });
  if (bench.executor.layers.some(({ name, state }) => name === 'L3' && state !== 'proved'))
    return t.skip('needs bwrap');
  await goneFor(bench, found.launcher);
});

for (const disable of [['L5'], ['L2']] as const satisfies LayerName[][]) {
  test(`bubblewrap was removed after the start (without ${disable.join(' and ')})`, async (t) => {
    if (findProgram('bwrap') === undefined) return t.skip('needs bwrap');
    const { path, programDirectories } = ownProgram(t, 'bwrap');
    const bench = await startBench(t, { programDirectories, disable });
    if (bench.executor.layers.some(({ name, state }) => name === 'L3' && state !== 'proved'))
      return t.skip('needs bwrap');
    await goneFor(bench, path);
  });
}

for (const name of ['prlimit', 'setpriv']) {
  test(`${name} was removed after the start`, async (t) => {
    const { path, programDirectories } = ownProgram(t, name);
    await goneFor(await startBench(t, { programDirectories, disable: ['L2', 'L3'] }), path);
  });
}

test('a kernel that does not know a system call, and one that denies it', async (t) => {
  const { place, found } = ownBuild(t);
  const bench = await startBench(t, { launcher: place, disable: ['L3', 'L5'] });
  copyFileSync(found.supervisor, `${found.supervisor}.real`);
  for (const [line, code] of [
    ['landlock 38', 'KERNEL_UNSUPPORTED'],
    ['seccomp 1', 'SYSCALL_DENIED'],
    ['fork 11', 'EAGAIN'],
    ['fork 24', 'EMFILE'],
    ['caps 22', 'CONFINEMENT'],
  ] as const) {
    rmSync(found.supervisor);
    writeFileSync(found.supervisor, `#!/bin/sh\necho "fault ${line}" >&3\nexit 125\n`, { mode: 0o755 });
    await isRefused(bench, code);
  }
  renameSync(`${found.supervisor}.real`, found.supervisor);
  await isGoodAgain(bench);
});

test('a chain that ends without a word is a fault, not a result of the tool', async (t) => {
  const { place, found } = ownBuild(t);
  const bench = await startBench(t, { launcher: place, disable: ['L3', 'L5'] });
  rmSync(found.supervisor);
  writeFileSync(found.supervisor, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  await isRefused(bench, 'CONFINEMENT');
});

/** Runs short-of.ts, which says what became of three runs: before, while and after something was missing. */
async function shortOf(argv: readonly string[], whileMissing?: (pid: number) => void) {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    const pid = Number(/^pid (\d+)\n$/.exec(said)?.[1]);
    if (pid > 1) whileMissing?.(pid);
    if (pid > 1) child.stdin.end('go\n');
  });
  await once(child, 'close');
  return said.split('\n').slice(1).join('\n').trim();
}

test('the disk with the working directories is full', async (t) => {
  const directory = publicDirectory(t);
  const uid = String(process.getuid?.());
  const mount = 'mount -t tmpfs -o size=1m,mode=700 none "$1" && shift && exec "$@"';
  const asUser = ['unshare', '-U', `--map-user=${uid}`, `--map-group=${uid}`];
  const inside = ['/usr/bin/unshare', '-Urm', '/bin/sh', '-c', mount, 'sh', directory, ...asUser];
  if (spawnSync(inside[0] ?? '', [...inside.slice(1), 'true']).status !== 0) return t.skip('needs user namespaces');
  const said = await shortOf([...inside, process.execPath, SHORT_OF, 'disk', directory]);
  assert.equal(said, 'exited none none\nnot_started ENOSPC ENOSPC\nexited none none');
});

test('the user may have no further process', async (t) => {
  const directory = publicDirectory(t);
  const limit = (pid: number) => {
    const set = spawnSync('/usr/bin/prlimit', [`--pid=${pid}`, '--nproc=1:']);
    assert.equal(set.status, 0, String(set.stderr));
  };
  const said = await shortOf([process.execPath, SHORT_OF, 'processes', directory], limit);
  assert.equal(said, 'not_started EAGAIN EAGAIN');
});
