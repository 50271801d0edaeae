import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type BwrapRequest, bwrapPrefix } from '../../../src/core/execution/bwrap.ts';

const LINKS: Readonly<Record<string, string>> = {
  '/lib': 'usr/lib',
  '/etc/localtime': '/usr/share/zoneinfo/Etc/UTC',
  '/etc/resolv.conf': '../run/stub.conf',
  '/proc/self': '4711',
  '/var/run': '/run',
  '/loop': 'loop',
  '/usr/lib/inner': 'other',
};
const REQUEST: BwrapRequest = {
  bwrap: '/usr/bin/bwrap',
  scratch: '/srv/scratch/run',
  read: ['/usr/lib', '/lib'],
  execute: ['/usr/bin/tool'],
  launcher: undefined,
  linkOf: (path) => LINKS[path],
};
const prefix = (changes: Partial<BwrapRequest> = {}): readonly string[] => bwrapPrefix({ ...REQUEST, ...changes });
/** The operands of every use of an option. */
const uses = (argv: readonly string[], option: string, operands: number): readonly string[] =>
  argv.flatMap((token, at) => (token === option ? [argv.slice(at + 1, at + 1 + operands).join(' ')] : []));

describe('the argument vector of bubblewrap', () => {
  it('begins with the program, ends with the end of options, and isolates everything but the network', () => {
    const argv = prefix();
    assert.equal(argv[0], '/usr/bin/bwrap');
    assert.equal(argv.at(-1), '--');
    for (const option of ['user', 'pid', 'ipc', 'uts', 'cgroup-try']) assert.ok(argv.includes(`--unshare-${option}`));
    for (const option of ['--die-with-parent', '--disable-userns', '--assert-userns-disabled']) {
      assert.ok(argv.includes(option), option);
    }
    assert.deepEqual(uses(argv, '--cap-drop', 1), ['ALL']);
    for (const option of ['--unshare-net', '--unshare-all', '--new-session', '--clearenv', '--dev']) {
      assert.ok(!argv.includes(option), option);
    }
  });

  it('binds what is read and executed read-only, and the working directory alone writable', () => {
    const argv = prefix({ launcher: '/opt/gateway/launcher' });
    const read = ['/opt/gateway/launcher', '/usr/bin/tool', '/usr/lib'].map((path) => `${path} ${path}`);
    assert.deepEqual(uses(argv, '--ro-bind-try', 2), read);
    assert.deepEqual(uses(argv, '--bind', 2), ['/srv/scratch/run /srv/scratch/run']);
    assert.deepEqual(uses(argv, '--chdir', 1), ['/srv/scratch/run']);
  });

  it('makes links where the machine has links, and binds what they lead to', () => {
    const argv = prefix({ read: ['/lib', '/etc/localtime', '/etc/resolv.conf'], scratch: '/var/run/scratch' });
    assert.deepEqual(uses(argv, '--symlink', 2), [
      'usr/lib /lib',
      '/usr/share/zoneinfo/Etc/UTC /etc/localtime',
      '../run/stub.conf /etc/resolv.conf',
      '/run /var/run',
    ]);
    const bound = uses(argv, '--ro-bind-try', 2).map((pair) => pair.split(' ')[0]);
    assert.deepEqual(bound, ['/run/stub.conf', '/usr/bin/tool', '/usr/lib', '/usr/share/zoneinfo/Etc/UTC']);
    assert.deepEqual(uses(argv, '--bind', 2), ['/run/scratch /run/scratch']);
    assert.deepEqual(uses(argv, '--chdir', 1), ['/var/run/scratch']);
  });

  it('mounts parents once and before what lies in them, and the working directory after everything that is read', () => {
    const argv = prefix({
      read: ['/usr/lib/deep/file', '/srv', '/usr/lib', '/usr/lib/inner'],
      execute: ['/usr/lib/x'],
    });
    assert.deepEqual(uses(argv, '--ro-bind-try', 1), ['/srv', '/usr/lib']);
    assert.deepEqual(uses(argv, '--symlink', 2), [], 'the link is there with the directory that holds it');
    assert.ok(argv.indexOf('--bind') > argv.lastIndexOf('--ro-bind-try'));
    assert.ok(argv.indexOf('--remount-ro') > argv.indexOf('--bind'));
  });

  it('never binds a path of the machine’s /proc, which would be that of the gateway', () => {
    const argv = prefix({ read: ['/proc/net', '/proc/self/net', '/proc'] });
    assert.deepEqual(uses(argv, '--ro-bind-try', 1), ['/usr/bin/tool']);
    assert.deepEqual(uses(argv, '--proc', 1), ['/proc']);
    assert.doesNotMatch(argv.join(' '), /4711/);
  });

  it('gives a circle of links up', () => {
    assert.ok(uses(prefix({ read: ['/loop/file'] }), '--symlink', 2).includes('loop /loop'));
  });
});
