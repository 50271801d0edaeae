import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openCgroups } from '../../../src/core/execution/cgroup.ts';
import { isGroup } from '../../../src/core/execution/cgroup-file.ts';
import { baseOf, findHierarchies } from '../../../src/core/execution/cgroup-paths.ts';
import { limitGroup, runCgroup } from '../../../src/core/execution/cgroup-run.ts';

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const MEMORY = '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';
const CPU = '36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct';
const DEVICES = '37 31 0:34 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices';
const LIMITS = { memoryBytes: 1_048_576, processes: 5, cpuPercent: 100 };

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-cgroup-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs openCgroups over texts of our own. */
function open(t: TestContext, selfCgroup: string, mountinfo: string): ReturnType<typeof openCgroups> {
  const path = directory(t);
  writeFileSync(join(path, 'cgroup'), selfCgroup);
  writeFileSync(join(path, 'mountinfo'), mountinfo);
  return openCgroups({ selfCgroupFile: join(path, 'cgroup'), mountinfoFile: join(path, 'mountinfo') });
}

/** A directory that looks like a group, with the control files that are asked for. */
function lookalike(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = directory(t);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

test('our group is found in the one tree of an ordinary machine', () => {
  const found = findHierarchies('0::/system.slice/sallyport.service/gateway\n', `${V2}\n`);
  assert.deepEqual(found, [
    { version: 2, controllers: [], own: '/sys/fs/cgroup/system.slice/sallyport.service/gateway' },
  ]);
});

test('version 1 trees are found by their controllers, version 2 stands first', () => {
  const self = '9:name=systemd:/\n4:memory:/a/gateway\n5:devices:/\n2:cpu,cpuacct:/b\n0::/\n';
  assert.deepEqual(findHierarchies(self, [MEMORY, CPU, DEVICES, V2].join('\n')), [
    { version: 2, controllers: [], own: '/sys/fs/cgroup' },
    { version: 1, controllers: ['memory'], own: '/sys/fs/cgroup/memory/a/gateway' },
    { version: 1, controllers: ['cpu'], own: '/sys/fs/cgroup/cpu,cpuacct/b' },
  ]);
});

test('a container that sees only its own part of the tree finds its group there', () => {
  const part = '30 23 0:26 /docker/c1 /sys/fs/cgroup ro - cgroup2 cgroup rw';
  const own = (path: string) => findHierarchies(`0::${path}\n`, part).map((each) => each.own);
  assert.deepEqual(own('/docker/c1'), ['/sys/fs/cgroup']);
  assert.deepEqual(own('/docker/c1/gateway'), ['/sys/fs/cgroup/gateway']);
  assert.deepEqual(own('/docker/c10/gateway'), [], 'another container whose name begins alike');
});

test('escaped characters in mount points are read as the kernel means them', () => {
  const found = findHierarchies('0::/a\n', String.raw`30 23 0:26 / /mnt/my\040groups\134x rw - cgroup2 cgroup rw`);
  assert.deepEqual(
    found.map((each) => each.own),
    [String.raw`/mnt/my groups\x/a`],
  );
});

test('a group outside of our namespace, a removed one and texts of another form are left out', () => {
  for (const line of [
    '0::/../other/gateway',
    '0::/gone/gateway (deleted)',
    '0::relative',
    ':::',
    '',
    '0:/x',
    'x::/y',
  ]) {
    assert.deepEqual(findHierarchies(line, V2), [], line);
  }
  for (const mount of ['', ' - ', 'a b c', '30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw']) {
    assert.deepEqual(findHierarchies('0::/gateway', mount), [], mount);
  }
});

test('only a group named gateway has a base', () => {
  assert.equal(baseOf('/sys/fs/cgroup/a/gateway'), '/sys/fs/cgroup/a');
  assert.equal(baseOf('/sys/fs/cgroup/a/my-gateway'), undefined);
  assert.equal(baseOf('/sys/fs/cgroup/gateway/a'), undefined);
});

test('without any control groups there is no such layer', async (t) => {
  assert.equal(await open(t, '', ''), undefined);
  assert.equal(await open(t, '0::/\n', ''), undefined);
  const missing = join(directory(t), 'missing');
  assert.equal(await openCgroups({ selfCgroupFile: missing, mountinfoFile: missing }), undefined);
});

test('an ordinary directory in the place of a group is not used, and nothing is written there', async (t) => {
  const base = directory(t);
  mkdirSync(join(base, 'gateway'));
  for (const path of [base, join(base, 'gateway')]) writeFileSync(join(path, 'cgroup.procs'), '');
  const mount = `30 23 0:26 / ${base} rw - cgroup2 cgroup rw`;
  assert.equal(await open(t, '0::/gateway\n', mount), undefined);
  assert.equal(await open(t, '0::/\n', mount), undefined);
  assert.deepEqual(readdirSync(base).sort(), ['cgroup.procs', 'gateway']);
});

test('a symbolic link to a real group is not a group', {
  skip: realGroup() === undefined && 'no cgroup mount',
}, (t) => {
  const real = realGroup();
  assert.ok(real !== undefined);
  const link = join(directory(t), 'link');
  symlinkSync(real.own, link);
  assert.equal(isGroup(real.own, real.version), true);
  assert.equal(isGroup(link, real.version), false);
  assert.equal(isGroup(real.own, real.version === 1 ? 2 : 1), false);
});

test('the groups that belong to the machine are not ours to divide', {
  skip: process.geteuid?.() === 0 && 'root',
}, async () => {
  // A test runs as an ordinary user in whatever group it was started: nobody has handed that over, unless it says so.
  const real = realGroup();
  const groups = await openCgroups();
  if (real === undefined || baseOf(real.own) === undefined) assert.equal(groups, undefined);
});

test('a limit that reads back as another value is a fault', (t) => {
  const files = { 'cgroup.max.depth': '', 'cgroup.max.descendants': '', 'pids.max': '' };
  const path = lookalike(t, files);
  limitGroup({ version: 2, path, controllers: ['pids'] }, LIMITS);
  rmSync(join(path, 'pids.max'));
  symlinkSync('/dev/null', join(path, 'pids.max'));
  assert.throws(() => limitGroup({ version: 2, path, controllers: ['pids'] }, LIMITS), { code: 'ELOOP' });
  rmSync(join(path, 'pids.max'));
  assert.throws(() => limitGroup({ version: 2, path, controllers: ['pids'] }, LIMITS), { code: 'ENOENT' });
  // The end of a longer, older value stays: what is read is not what was written.
  writeFileSync(join(path, 'pids.max'), '99');
  assert.throws(() => limitGroup({ version: 2, path, controllers: ['pids'] }, LIMITS), {
    code: 'ERR_EXEC_CONFINEMENT',
  });
});

test('memory is limited together with the swap, in both versions', (t) => {
  const unified = lookalike(t, { 'memory.max': '', 'memory.oom.group': '0', 'memory.swap.max': 'max' });
  for (const file of ['cgroup.max.depth', 'cgroup.max.descendants']) writeFileSync(join(unified, file), '');
  // `max` keeps its tail behind the one character that is written over it: the swap limit counts as not taken.
  assert.throws(() => limitGroup({ version: 2, path: unified, controllers: ['memory'] }, LIMITS), {
    code: 'ERR_EXEC_CONFINEMENT',
    message: /memory\.swap\.max/,
  });
  const first = lookalike(t, { 'memory.limit_in_bytes': '', 'memory.memsw.limit_in_bytes': '99999999' });
  assert.throws(() => limitGroup({ version: 1, path: first, controllers: ['memory'] }, LIMITS), {
    code: 'ERR_EXEC_CONFINEMENT',
    message: /memsw/,
  });
  rmSync(join(first, 'memory.memsw.limit_in_bytes'));
  limitGroup({ version: 1, path: first, controllers: ['memory'] }, LIMITS);
});

test('a group that is gone counts as empty, killed and removed', async (t) => {
  const path = join(directory(t), 'gone');
  const group = runCgroup([{ version: 2, path, controllers: ['memory', 'pids'] }]);
  assert.deepEqual(group.procs, [`${path}/cgroup.procs`]);
  assert.equal(group.count(), 0);
  assert.equal(group.oomKilled(), false);
  await group.kill();
  await group.remove();
});

describe('what cannot be ended', { concurrency: true }, () => {
  test('killing never signals our own group or ourselves, whatever the group lists', async (t) => {
    const path = lookalike(t, { 'cgroup.procs': `0\n1\n${process.pid}\n` });
    await assert.rejects(runCgroup([{ version: 1, path, controllers: [] }]).kill(), { code: 'ERR_EXEC_CONFINEMENT' });
  });

  test('a group in which something stays is reported, not forgotten', async (t) => {
    const path = lookalike(t, { 'cgroup.procs': '' });
    await assert.rejects(runCgroup([{ version: 2, path, controllers: [] }]).remove(), { code: 'ERR_EXEC_CONFINEMENT' });
  });
});

function realGroup() {
  const read = (file: string) => readFileSync(`/proc/self/${file}`, 'utf8');
  return findHierarchies(read('cgroup'), read('mountinfo')).find((each) => isGroup(each.own, each.version));
}
