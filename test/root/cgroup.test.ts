import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { findHierarchies } from '../../src/core/execution/cgroup-paths.ts';

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, 'deploy/cgroups.sh');
const LIFE = join(ROOT, 'test/fixtures/cgroup-life.ts');
const UID = 61_000 + (process.pid % 1000);
const NAME = `test-${process.pid}`;
const skip = process.geteuid?.() !== 0 && 'needs root';

type Answer = Record<string, unknown>;

/** Our place in each tree, and the group in which the script makes its own: ours, or the root when that is a login's. */
const self = readFileSync('/proc/self/cgroup', 'utf8');
const places = findHierarchies(self, readFileSync('/proc/self/mountinfo', 'utf8')).map(({ own, ...rest }) => ({
  ...rest,
  parent: own.replace(/\/user\.slice\/.*$/, ''),
}));
const unified = places.find(({ version }) => version === 2);
const unit = `${unified?.parent}/sallyport-${NAME}-unit`;
const bases = [...places.map(({ parent }) => `${parent}/sallyport-${NAME}`), unit];

after(async () => {
  for (const base of bases) await removeBase(base);
  assert.deepEqual(
    bases.filter((base) => existsSync(base)),
    [],
  );
});

const PIPED: SpawnOptions = { stdio: ['ignore', 'pipe', 'inherit'], timeout: 60_000, killSignal: 'SIGKILL' };

function asUser(scenario: string, user: number): readonly string[] {
  const drop = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all'];
  return [...drop, process.execPath, LIFE, scenario];
}

/** A start as the entry script makes it: prepare as root, move the shell, drop, execute. */
function start(scenario: string, user = UID): ChildProcess {
  const line = 'sh "$1" "$2" "$3" $$; shift 3; exec "$@"';
  return spawn('/bin/sh', ['-c', line, 'sh', SCRIPT, String(UID), NAME, ...asUser(scenario, user)], PIPED);
}

async function firstLine(child: ChildProcess): Promise<Answer> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
  throw new Error('the life said nothing');
}

function live(scenario: string, user?: number): Promise<Answer> {
  return firstLine(start(scenario, user));
}

/** What of a controller can be had here, found by another way than the code under test. */
function expected(controller: 'memory' | 'pids' | 'cpu'): 'v2' | 'v1' | 'none' {
  const offered = `${unified?.parent}/cgroup.controllers`;
  if (existsSync(offered) && readFileSync(offered, 'utf8').split(/\s/).includes(controller)) {
    // Only the root of all groups hands on controllers while a process, this test, is in it; it alone has no type.
    return existsSync(`${unified?.parent}/cgroup.type`) ? 'none' : 'v2';
  }
  // A version 1 group below the root belongs to whoever put this test there: the script leaves it alone.
  const line = new RegExp(`^\\d+:([^:\\n]*,)?${controller}(,[^:\\n]*)?:/(user\\.slice/.*)?$`, 'm');
  return line.test(self) ? 'v1' : 'none';
}

const hasNone = (controller: 'memory' | 'pids') =>
  skip || (expected(controller) === 'none' && `no ${controller} controller is ours to use here`);

test('the entry script hands over exactly the trees that this machine has', { skip }, async () => {
  const { what } = await live('what');
  const controllers = { memory: expected('memory'), pids: expected('pids'), cpu: expected('cpu') };
  assert.deepEqual(what, { kill: places.some(({ version }) => version === 2), ...controllers });
});

test("the limits and the group of the gateway itself stay root's", { skip }, async () => {
  await live('what');
  for (const base of bases.filter((each) => existsSync(each))) {
    assert.equal(statSync(base).uid, UID, base);
    const own = readdirSync(base).filter((name) => statSync(join(base, name)).uid === UID);
    assert.deepEqual(
      own.filter((name) => !/^cgroup\.(procs|subtree_control)$/.test(name)),
      [],
      base,
    );
    assert.equal(statSync(join(base, 'gateway/cgroup.procs')).uid, 0, base);
  }
});

test('another user in the same group has no such layer', { skip }, async () => {
  assert.deepEqual(await live('what', UID + 1000), { absent: true });
});

test('a group that a service manager delegates is divided, but not while others are in it', {
  skip: skip || (unified === undefined && 'no version 2 tree'),
}, async () => {
  mkdirSync(unit);
  for (const path of [unit, `${unit}/cgroup.procs`, `${unit}/cgroup.subtree_control`]) chownSync(path, UID, UID);
  const inUnit = ['-c', `echo 0 >${unit}/cgroup.procs; exec "$@"`, 'sh'];
  const run = (scenario: string) => firstLine(spawn('/bin/sh', [...inUnit, ...asUser(scenario, UID)], PIPED));
  const other = spawn('/bin/sh', ['-c', `echo 0 >${unit}/cgroup.procs; echo in; exec cat`], { stdio: 'pipe' });
  await once(other.stdout, 'data');
  assert.deepEqual(await run('what'), { absent: true });
  const gone = once(other, 'exit');
  other.stdin.end();
  await gone;
  const { isStarted, left } = await run('tree');
  assert.deepEqual({ isStarted, left }, { isStarted: true, left: 0 });
});

test('a tree of four that ignores signals and changes sessions is gone, its values had taken', { skip }, async () => {
  const answer = await live('tree');
  assert.deepEqual(
    { ...answer, values: undefined },
    { isStarted: true, left: 0, isRemoved: true, oom: false, values: undefined },
  );
  const values = answer['values'] as Record<string, string>;
  if (expected('pids') !== 'none') assert.equal(values['pids.max'], '12');
  if (expected('cpu') === 'v2') assert.equal(values['cpu.max'], '50000 100000');
  if (expected('cpu') === 'v1') assert.equal(values['cpu.cfs_quota_us'], '50000');
  if (expected('memory') === 'v2') assert.equal(values['memory.max'], '100663296');
  if (expected('memory') === 'v1') assert.equal(values['memory.limit_in_bytes'], '100663296');
  assert.equal(values['memory.swap.max'] ?? '0', '0');
});

test('forks stop at the limit of the group', { skip: hasNone('pids') }, async () => {
  assert.deepEqual(await live('forks'), { forked: 11, isRefused: true }, 'twelve with the shell itself');
});

test('a bomb that forks while it is killed leaves nothing', { skip }, async () => {
  assert.deepEqual(await live('bomb'), { isStarted: true, left: 0 });
});

test('who eats memory is ended by the kernel, and only its own group says so', {
  skip: hasNone('memory'),
}, async () => {
  const { end, oom, oomAfterwards } = await live('memory');
  assert.deepEqual({ oom, oomAfterwards }, { oom: [true, false], oomAfterwards: true });
  assert.ok(end !== 0, 'the program came to its end');
});

test('groups that a run made inside its own are ended and removed with it', { skip }, async () => {
  assert.deepEqual(await live('nested'), { isInside: true, isRemoved: true });
});

test('a run id that is in use is refused and the running one keeps its group', { skip }, async () => {
  assert.deepEqual(await live('twice'), { code: 'ERR_EXEC_CONFINEMENT', isKept: true });
});

test('run ids and limits of another form are refused and leave nothing', { skip }, async () => {
  assert.deepEqual(await live('refusals'), { codes: ['ERR_EXEC_CONFINEMENT'], count: 24 });
});

test('what a killed gateway left is ended by the next, what a living one has is not', { skip }, async () => {
  const gateway = start('abandon');
  const { isStarted, procs } = await firstLine(gateway);
  assert.equal(isStarted, true);
  const [first = ''] = procs as string[];
  assert.deepEqual(await live('leftovers'), { ended: 0 }, 'its gateway lives');
  assert.equal(existsSync(first), true);
  const ended = new Promise((resolve) => gateway.once('exit', resolve));
  gateway.kill('SIGKILL');
  await ended;
  const left = readFileSync(first, 'utf8').trim().split('\n');
  assert.deepEqual(await live('leftovers'), { ended: 4 });
  assert.equal(existsSync(dirname(first)), false);
  for (const pid of left) assert.equal(isAlive(pid), false, pid);
});

test('the script refuses names and users that could point elsewhere, and never fails the start', { skip }, () => {
  for (const args of [
    [],
    ['0', NAME],
    ['-1', NAME],
    ['root', NAME],
    [String(UID), '../x'],
    [String(UID), ''],
    [String(UID), 'a b'],
  ]) {
    const { status, stderr } = spawnSync('sh', [SCRIPT, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, args.join(' '));
    assert.match(stderr, /^cgroups\.sh: /, args.join(' '));
  }
  const { status, stderr } = spawnSync(
    'setpriv',
    [`--reuid=${UID}`, '--clear-groups', 'sh', SCRIPT, String(UID), `${NAME}-no`],
    {
      encoding: 'utf8',
    },
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, 'without rights it says nothing');
  assert.equal(
    places.some(({ parent }) => existsSync(`${parent}/sallyport-${NAME}-no`)),
    false,
  );
});

function isAlive(pid: string): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return stat !== '' && !/\) [ZX] /.test(stat);
}

/** Ends what a failed test left below one of our own bases, and removes it. */
async function removeBase(base: string): Promise<void> {
  for (let look = 0; look < 200 && existsSync(base); look += 1) {
    const groups = [base];
    for (const group of groups) {
      for (const entry of readdirSync(group, { withFileTypes: true }))
        if (entry.isDirectory()) groups.push(join(group, entry.name));
    }
    for (const pid of groups.flatMap((group) => readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n'))) {
      if (Number(pid) > 1 && Number(pid) !== process.pid) signal(Number(pid));
    }
    for (const group of groups.toReversed()) remove(group);
    if (existsSync(base)) await sleep(20);
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone meanwhile
  }
}

function remove(group: string): void {
  try {
    rmdirSync(group);
  } catch {
    // still held; the next look tries again
  }
}
