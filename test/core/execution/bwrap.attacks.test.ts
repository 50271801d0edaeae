import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bwrapPrefix } from '../../../src/core/execution/bwrap.ts';
import { findProgram } from '../../../src/core/execution/programs.ts';

const BWRAP = findProgram('bwrap') ?? '';
const SEEN = ['/usr/bin', '/usr/lib', '/bin', '/lib', '/lib64', '/etc/ld.so.cache'];
/** Whoever starts this, nothing here runs as root: a user id of this file's own, and no way back. */
const UID = process.getuid?.() === 0 ? 64_300 + (process.pid % 600) : undefined;
const AS_USER =
  UID === undefined
    ? []
    : ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all', '--'];
/** Processes of the user outside, more than the limit inside. */
const CROWD = 12;
const LIMIT = 8;

const [first, ...others] = [...AS_USER, BWRAP, '--unshare-user', '--disable-userns', '--ro-bind', '/', '/', 'true'];
const skip =
  BWRAP === '' || spawnSync(first, others, { stdio: 'ignore' }).status !== 0
    ? 'bubblewrap is not installed, or user namespaces are not given to ordinary users here'
    : false;

describe('a process in layer 3', { skip }, () => {
  let place = '';
  let scratch = '';
  const decoys: ChildProcess[] = [];

  before(() => {
    place = mkdtempSync(join(tmpdir(), 'sallyport-bwrap-'));
    chmodSync(place, 0o755);
    scratch = mkdtempSync(join(place, 'run-'));
    writeFileSync(join(place, 'secret'), 'the key', { mode: 0o644 });
    if (UID !== undefined) chownSync(scratch, UID, UID);
  });
  after(async () => {
    for (const decoy of decoys) {
      if (decoy.exitCode === null && decoy.signalCode === null) {
        decoy.kill('SIGKILL');
        await once(decoy, 'exit');
      }
    }
    rmSync(place, { recursive: true, force: true });
  });

  const argvOf = (program: readonly string[]): [string, string[]] => {
    const request = { bwrap: BWRAP, scratch, read: SEEN, execute: ['/bin/sh'], launcher: undefined };
    const [program0 = '', ...rest] = [...AS_USER, ...bwrapPrefix(request), ...program];
    return [program0, rest];
  };
  const runInside = (script: string, env: Record<string, string> = {}) => {
    const [program, args] = argvOf(['/bin/sh', '-c', script]);
    const options = { env: { PATH: '/usr/bin:/bin', ...env }, encoding: 'utf8', timeout: 30_000 } as const;
    return spawnSync(program, args, options);
  };
  /** A process of the same user outside. */
  const startDecoy = async (...program: readonly string[]): Promise<ChildProcess> => {
    const [program0 = '', ...rest] = [...AS_USER, ...program];
    const decoy = spawn(program0, rest, { stdio: 'ignore' });
    decoys.push(decoy);
    await once(decoy, 'spawn');
    const name = program[0] ?? '';
    await until(() => readFileSync(`/proc/${decoy.pid}/cmdline`, 'latin1').startsWith(name));
    return decoy;
  };

  it('sees the named paths and no others', () => {
    const { stdout } = runInside(`ls -A / /dev /etc; cat ${place}/secret; ls -A ${place}; ls ${process.cwd()}`);
    const root = ['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'tmp', 'usr'];
    const listed = stdout.split('\n');
    for (const name of listed.slice(1, listed.indexOf(''))) {
      assert.ok(root.includes(name) || place.startsWith(`/${name}/`), `/${name} is there`);
    }
    assert.match(stdout, /\/dev:\nnull\nrandom\nurandom\nzero\n/);
    assert.match(stdout, /\/etc:\nld\.so\.cache\n/);
    assert.doesNotMatch(stdout, /the key|secret|package\.json/);
  });

  it('writes in its working directory and nowhere else', () => {
    const tried = ['/x', '/tmp/x', '/dev/x', '/dev/shm/x', '/usr/bin/x', '/etc/x', '/run/x', `${place}/x`];
    const { stdout } = runInside(`for f in ${tried.join(' ')}; do (: > $f) 2>/dev/null && echo "$f"; done; pwd > mine`);
    assert.equal(stdout, '');
    assert.equal(readFileSync(join(scratch, 'mine'), 'utf8'), `${scratch}\n`);
  });

  it('sees its own processes alone, and none of their secrets', async () => {
    const decoy = await startDecoy('/bin/sleep', '271828');
    const { stdout } = runInside('echo "$$"; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr "\\0" " "; ls /proc');
    assert.ok(Number(stdout.split('\n')[0]) < 10, stdout.split('\n')[0]);
    assert.doesNotMatch(stdout, /271828/);
    assert.ok(!stdout.split('\n').includes(String(decoy.pid)));
  });

  it('cannot signal a process outside', async () => {
    const decoy = await startDecoy('/bin/sleep', '300');
    const { stdout } = runInside(`kill -9 ${decoy.pid} 2>/dev/null && echo sent`);
    assert.equal(stdout, '');
    assert.deepEqual([decoy.exitCode, decoy.signalCode], [null, null]);
    assert.ok(existsSync(`/proc/${decoy.pid}`));
  });

  it('has no capability, gains none, and makes no user namespace', () => {
    const [program, ...args] = [...AS_USER, 'unshare', '-U', 'echo', 'made'];
    const outside = spawnSync(program, args, { encoding: 'utf8' });
    assert.equal(outside.stdout, 'made\n', 'the same attempt outside: otherwise this says nothing');
    const { stdout } = runInside(
      `grep -E '^(Cap|NoNewPrivs)' /proc/self/status; unshare -U echo made; unshare -r echo made`,
    );
    const sets = stdout.split('\n').filter((line) => line.startsWith('Cap'));
    assert.deepEqual([...new Set(sets.map((line) => line.split('\t')[1]))], ['0000000000000000']);
    assert.match(stdout, /NoNewPrivs:\t1/);
    assert.doesNotMatch(stdout, /made/);
  });

  it('keeps the environment and descriptor 3, which the next element of the chain reports on, and adds none', async () => {
    const script = ['/bin/sh', '-c', 'echo "ready $NAME" >&3; ls /proc/self/fd'];
    const inside = await hear(...argvOf(script));
    assert.equal(inside.status, 'ready value\n');
    // Whoever runs the tests may have left descriptors open: they are the same on both sides.
    const [program = '', ...args] = [...AS_USER, ...script];
    assert.equal(inside.descriptors, (await hear(program, args)).descriptors);
  });

  it('hands the exit code on', () => {
    assert.equal(runInside('exit 37').status, 37);
  });

  it('is counted alone by the limit on processes', async () => {
    for (let count = 0; count < CROWD; count += 1) await startDecoy('/bin/sleep', '300');
    const script = 'sleep 0 & wait; echo forked';
    const limited = ['prlimit', `--nproc=${LIMIT}`, '/bin/sh', '-c', script];
    const [program = '', ...args] = [...AS_USER, ...limited];
    assert.doesNotMatch(spawnSync(program, args, { encoding: 'utf8' }).stdout, /forked/, 'outside all are counted');
    assert.equal(runInside(`exec prlimit --nproc=${LIMIT} /bin/sh -c '${script}'`).stdout, 'forked\n');
    const forks = Array.from({ length: CROWD }, (_, index) => `sleep 20 & echo ${index};`).join(' ');
    const { stdout } = runInside(`exec prlimit --nproc=${LIMIT} /bin/sh -c '${forks}'`);
    const count = stdout.split('\n').filter(Boolean).length;
    assert.ok(count > 0 && count < LIMIT, `${count} forks inside`);
  });

  it('is gone with all that it started when the parent of bubblewrap is killed hard', async () => {
    const marker = `300${process.pid}`;
    const one = `trap "" TERM HUP INT; sleep ${marker} & sleep ${marker} & setsid sleep ${marker} & (setsid sleep ${marker} &) ; wait`;
    const [program, args] = argvOf(['/bin/sh', '-c', one]);
    const shell = ['-c', '"$@" & wait', 'parent', program, ...args];
    const parent = spawn('/bin/sh', shell, { stdio: 'ignore', detached: true });
    await until(() => countRunning('sleep', marker) === 4);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until(() => countRunning('sleep', marker) === 0);
  });
});

async function hear(program: string, args: string[]): Promise<{ descriptors: string; status: string }> {
  const env = { PATH: '/usr/bin:/bin', NAME: 'value' };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  const heard = { descriptors: '', status: '' };
  child.stdio[1]?.on('data', (chunk: Buffer) => {
    heard.descriptors += chunk.toString();
  });
  child.stdio[3]?.on('data', (chunk: Buffer) => {
    heard.status += chunk.toString();
  });
  await once(child, 'close');
  return heard;
}

function countRunning(program: string, argument: string): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1') === `${program}\0${argument}\0`;
    } catch {
      return false; // ended meanwhile
    }
  }).length;
}

/** Waits for a condition; whoever waits for what never comes ends at the time limit of the test run. */
async function until(isTrue: () => boolean): Promise<void> {
  for (let left = 500; left > 0; left -= 1) {
    if (isTrue()) return;
    await sleep(20);
  }
  assert.fail('it did not happen');
}
