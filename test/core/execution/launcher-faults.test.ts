import '../../fixtures/drop-root.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startSurroundings } from '../../fixtures/attack-surroundings.ts';
import { launcherPlace, outcomes, runNative } from '../../fixtures/launcher.ts';

const { launcher, attacker } = launcherPlace();
const surroundings = await startSurroundings();
after(() => surroundings.stop());
const { scratch, coordinates, basics } = surroundings;

const ECHO = ['--', '/bin/echo', 'ran'];
const FAULTS: readonly (readonly [what: string, argv: readonly string[], fault: RegExp])[] = [
  ['an unknown option', ['bogus=1', ...ECHO], /^fault option 22\n$/],
  ['switching Landlock off', ['landlock=off', ...ECHO], /^fault option 22\n$/],
  ['switching the filter off', ['seccomp=off', ...ECHO], /^fault option 22\n$/],
  ['a negative limit', ['nofile=-1', ...ECHO], /^fault option 22\n$/],
  ['a limit with a sign', ['nofile=+64', ...ECHO], /^fault option 22\n$/],
  ['a limit with a blank', ['nofile= 64', ...ECHO], /^fault option 22\n$/],
  ['a limit with a unit', ['data=1G', ...ECHO], /^fault option 22\n$/],
  ['an empty limit', ['cpu=', ...ECHO], /^fault option 22\n$/],
  ['a limit beyond 64 bits', ['data=99999999999999999999999', ...ECHO], /^fault option 22\n$/],
  ['an unknown capability', ['caps=sys_admin', ...ECHO], /^fault option 22\n$/],
  ['an unknown socket family', ['socket=vsock', ...ECHO], /^fault option 22\n$/],
  ['a relative path', ['read=etc', ...ECHO], /^fault option 22\n$/],
  ['an empty path', ['write=', ...ECHO], /^fault option 22\n$/],
  ['a port that is none', ['connect=65536', ...ECHO], /^fault option 22\n$/],
  ['ports in the wrong order', ['connect=90-80', ...ECHO], /^fault option 22\n$/],
  ['an open range', ['connect=80-', ...ECHO], /^fault option 22\n$/],
  ['an empty list entry', ['connect=80,,81', ...ECHO], /^fault option 22\n$/],
  ['a list that goes on after "any"', ['connect=any,80', ...ECHO], /^fault option 22\n$/],
  ['an empty port list', ['connect=', ...ECHO], /^fault option 22\n$/],
  ['no separator', ['core=0', '/bin/echo', 'ran'], /^fault option 22\n$/],
  ['no program', ['core=0', '--'], /^fault option 22\n$/],
  ['a relative program', ['--', 'echo', 'ran'], /^fault option 22\n$/],
  ['a place to write that is not there', ['write=/nonexistent', ...ECHO], /^fault landlock 2\n$/],
  ['a capability that is not there to be handed on', ['caps=net_raw', ...ECHO], /^fault caps 1\n$/],
  ['a missing program', ['--', '/nonexistent/program'], /^ready .*\nfault exec 2\n$/],
  ['a missing loader', ['--', '/bin/echo', 'ran'], /^ready .*\nfault exec 13\n$/],
];

for (const [what, argv, fault] of FAULTS) {
  test(`${what} is a fault and nothing runs`, async () => {
    const end = await runNative([launcher, ...argv]);
    assert.match(end.status, fault);
    assert.deepEqual([end.code, end.out], [125, '']);
  });
}

test('a limit above the one that is set around it is a fault', async () => {
  const end = await runNative(['/usr/bin/prlimit', '--nofile=64:64', '--', launcher, 'nofile=65', ...basics, ...ECHO]);
  assert.deepEqual([end.status, end.code, end.out], ['fault rlimit 1\n', 125, '']);
});

test('without a status socket nothing runs', async () => {
  const end = await runNative(['/bin/sh', '-c', 'exec "$0" "$@" 3<&-', launcher, ...basics, ...ECHO]);
  assert.deepEqual([end.code, end.out], [125, '']);
});

test('what cannot be read or does not exist stays refused, and is no fault', async () => {
  const options = ['read=/nonexistent', 'execute=/nonexistent/program', 'read=/etc/passwd/nothing'];
  const end = await runNative([launcher, ...basics, ...options, ...ECHO]);
  assert.equal(end.out, 'ran\n');
});

for (const abi of [1, 2, 3, 4, 5]) {
  test(`on a kernel with Landlock ABI ${abi} what it cannot do is reported, and the rest holds`, async () => {
    const older = join(scratch, `launcher-abi-${abi}`);
    const source = join(import.meta.dirname, '../../../src/launcher/launcher.c');
    const built = spawnSync('cc', ['-std=c11', '-D_GNU_SOURCE', '-static', `-DNEWEST_ABI=${abi}`, '-o', older, source]);
    assert.equal(built.status, 0, String(built.stderr));
    const attacks = [
      'read-key',
      'exec-other',
      'signal-gateway',
      'limit-gateway',
      'unix-socket',
      'connect-unlisted',
      'write-outside',
    ];
    const end = await runNative(
      [older, ...basics, `write=${scratch}`, '--', attacker, ...coordinates, ...attacks],
      scratch,
    );
    const outcome = outcomes(end.out);
    assert.equal(end.status, `ready abi=${abi} tcp=${abi >= 4 ? 1 : 0} scope=0\n`);
    const unlisted = outcome.get('connect-unlisted');
    assert.equal(unlisted, abi >= 4 ? 'refused EACCES' : 'reached');
    for (const attack of attacks.filter((each) => each !== 'connect-unlisted')) {
      assert.match(outcome.get(attack) ?? 'not tried', /^refused E/, attack);
    }
  });
}
