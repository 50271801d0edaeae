import '../../fixtures/drop-root.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { launcherPlace, runNative, startNative } from '../../fixtures/launcher.ts';

const { supervisor, attacker } = launcherPlace();

/** The four of `attacker tree`: all ignore signals, two are in sessions of their own, one has forked twice. */
function pidsOf(out: string): readonly number[] {
  return [...out.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // the question was whether
  }
}

function startTree(options: readonly string[] = []) {
  const run = startNative([supervisor, ...options, '--', attacker, 'tree']);
  return { ...run, grown: run.printed('done\n').then(pidsOf) };
}

test('the tree really ignores signals and really leaves its group', async () => {
  const run = startTree(['grace=60000']);
  try {
    const pids = await run.grown;
    assert.equal(pids.length, 4);
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    const groups = pids.map((pid) => /\) \S+ \d+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
    assert.equal(new Set(groups).size, 3);
    assert.deepEqual(pids.filter(isThere), pids);
  } finally {
    run.cut();
    await run.ended;
  }
});

test('the tree is gone when the lifeline closes', async () => {
  const run = startTree();
  const pids = await run.grown;
  run.cut();
  const { signal, status } = await run.ended;
  assert.deepEqual(pids.filter(isThere), []);
  // Who dies before the program does is reaped by it, not here: then fewer are counted.
  assert.match(status, /^end [0-3]\n$/);
  assert.equal(signal, 'SIGKILL', 'it ends as its program ended');
});

test('the tree is gone when the lifeline is torn off', async () => {
  const run = startTree();
  const pids = await run.grown;
  run.child.stdio[3]?.destroy();
  const { signal } = await run.ended;
  assert.deepEqual(pids.filter(isThere), []);
  assert.equal(signal, 'SIGKILL');
});

test('the tree is gone when TERM was not obeyed within the grace', async () => {
  const run = startTree(['grace=50']);
  const pids = await run.grown;
  run.child.kill('SIGTERM');
  const { status } = await run.ended;
  assert.deepEqual(pids.filter(isThere), []);
  // Who dies before the program does is reaped by it, not here: then fewer are counted.
  assert.match(status, /^end [0-3]\n$/);
});

test('what is left is gone when the program itself ends', async () => {
  const { out, status, code } = await runNative([supervisor, '--', attacker, 'daemon', 'daemon', 'daemon']);
  const pids = pidsOf(out);
  assert.equal(pids.length, 3);
  assert.deepEqual(pids.filter(isThere), []);
  assert.equal(status, 'end 3\n');
  assert.equal(code, 0);
});

test('the tree is gone when whoever holds the lifeline is killed', async () => {
  const script = `
    const child = require('node:child_process').spawn(process.argv[1], process.argv.slice(2), {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'], detached: true });
    console.log('pid=' + child.pid);`;
  const holder = spawn(process.execPath, ['-e', script, supervisor, '--', attacker, 'tree'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  while (!out.includes('done\n')) out += String((await once(holder.stdout, 'data'))[0]);
  const pids = pidsOf(out);
  assert.equal(pids.length, 5, 'the supervisor and the four');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  for (let round = 0; round < 500 && pids.some(isThere); round += 1) await sleep(20);
  assert.deepEqual(pids.filter(isThere), []);
});

test('its program dies with a supervisor that is killed', async () => {
  const run = startNative([supervisor, '--', '/bin/sh', '-c', 'echo pid=$$; exec sleep 600']);
  const [pid = 0] = pidsOf(await run.printed('\n'));
  run.child.kill('SIGKILL');
  await run.ended;
  for (let round = 0; round < 500 && isThere(pid); round += 1) await sleep(20);
  assert.ok(!isThere(pid));
});

test('a program that obeys TERM ends by TERM', async () => {
  const run = startNative([supervisor, 'grace=60000', '--', '/bin/sh', '-c', 'echo ready; exec sleep 600']);
  await run.printed('ready');
  run.child.kill('SIGTERM');
  const { signal, status } = await run.ended;
  assert.equal(signal, 'SIGTERM');
  assert.equal(status, 'end 0\n');
});

for (const code of [0, 1, 7, 125, 255]) {
  test(`exit code ${code} passes through`, async () => {
    const end = await runNative([supervisor, '--', '/bin/sh', '-c', `exit ${code}`]);
    assert.deepEqual([end.code, end.signal, end.status], [code, null, 'end 0\n']);
  });
}

for (const name of ['KILL', 'SEGV', 'USR1', 'PIPE'] as const) {
  test(`the end by SIG${name} passes through`, async () => {
    const end = await runNative([supervisor, '--', '/bin/sh', '-c', `kill -s ${name} $$`]);
    assert.deepEqual([end.code, end.signal, end.status], [null, `SIG${name}`, 'end 0\n']);
  });
}

test('ignored signals and other descriptors are not handed on', async () => {
  const setUp = `trap '' TERM CHLD PIPE; exec 7</dev/null; exec "$0" "$@"`;
  const end = await runNative(['/bin/sh', '-c', setUp, supervisor, '--', attacker, 'status', 'descriptors']);
  assert.match(end.out, /^status:SigIgn=0000000000000000$/m);
  assert.match(end.out, /^descriptors=reached 1 open, first 3$/m, 'the status socket alone');
  assert.equal(end.status, 'end 0\n');
});

test('the program has a process group of its own and is in the cgroups before it starts', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-supervisor-'));
  try {
    const files = ['a', 'b'].map((name) => join(directory, name));
    for (const file of files) writeFileSync(file, '');
    const script = `test "$(ps -o pgid= -p $$ | tr -d ' ')" = $$ && cat "$@"`;
    const options = files.map((file) => `cgroup=${file}`);
    const end = await runNative([supervisor, ...options, '--', '/bin/sh', '-c', script, 'sh', ...files]);
    assert.equal(end.out, '00');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

const FAULTS: readonly (readonly [what: string, argv: readonly string[], line: string])[] = [
  ['an unknown option', ['bogus=1', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['an option without a value', ['grace=', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['a number with a tail', ['grace=1s', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['a negative number', ['grace=-1', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['an unknown capability', ['caps=sys_admin', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['a relative cgroup', ['cgroup=a/cgroup.procs', '--', '/bin/echo', 'ran'], 'fault option 22\n'],
  ['a missing cgroup', ['cgroup=/nonexistent/cgroup.procs', '--', '/bin/echo', 'ran'], 'fault cgroup 2\n'],
  ['a cgroup that refuses it', ['cgroup=/dev/full', '--', '/bin/echo', 'ran'], 'fault cgroup 28\nend 0\n'],
  ['too many cgroups', [...Array(9).fill('cgroup=/dev/null'), '--', '/bin/echo', 'ran'], 'fault option 7\n'],
  ['no separator', ['/bin/echo', 'ran'], 'fault option 22\n'],
  ['no program', ['--'], 'fault option 22\n'],
  ['a relative program', ['--', 'echo', 'ran'], 'fault option 22\n'],
  ['a missing program', ['--', '/nonexistent/program'], 'fault exec 2\nend 0\n'],
  ['a program that may not be executed', ['--', '/etc/passwd'], 'fault exec 13\nend 0\n'],
];

for (const [what, argv, line] of FAULTS) {
  test(`${what} is a fault and nothing runs`, async () => {
    const end = await runNative([supervisor, ...argv]);
    assert.deepEqual([end.status, end.code, end.out], [line, 125, '']);
  });
}

test('without a lifeline nothing runs', async () => {
  const end = await runNative(['/bin/sh', '-c', 'exec "$0" -- /bin/echo ran 3<&-', supervisor]);
  assert.deepEqual([end.code, end.out], [125, '']);
});
