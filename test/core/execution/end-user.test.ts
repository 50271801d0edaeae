import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findConfiner } from '../../../src/core/execution/confinement.ts';
import { createEndUser } from '../../../src/core/execution/end-user.ts';
import { isRoot, publicDirectory } from './harness.ts';

const UID = 71_900;
const NEEDS_ROOT = 'needs root: only who may switch users can end one';

for (const [name, confiner] of [
  ['through setpriv', findConfiner()],
  ['without util-linux', undefined],
] as const) {
  test(`everything of the user id ends and its neighbour lives, ${name}`, async (t) => {
    if (!isRoot) return t.skip(NEEDS_ROOT);
    const [victim, neighbour] = [UID, UID + 1].map((uid) => spawn('/bin/sleep', ['600'], { uid, gid: uid }));
    assert.ok(victim && neighbour);
    t.after(() => neighbour.kill('SIGKILL'));
    const ended = once(victim, 'exit');
    await Promise.all([once(victim, 'spawn'), once(neighbour, 'spawn')]);
    assert.equal(await createEndUser(confiner, [])(UID), 'ended');
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    assert.equal(neighbour.signalCode, null);
    assert.equal(await createEndUser(confiner, [])(UID), 'ended');
  });
}

test('the shell signals nobody when it does not run as the user id that it was told', async (t) => {
  if (!isRoot) return t.skip(NEEDS_ROOT);
  // It switches, but to another user id than its last argument says: what it could harm is that one alone.
  const directory = publicDirectory(t);
  const astray = join(directory, 'astray');
  writeFileSync(astray, `#!/bin/sh\nshift 8\nexec setpriv --reuid=${UID + 3} --clear-groups "$@"\n`, { mode: 0o755 });
  const bystander = spawn('/bin/sleep', ['600'], { uid: UID + 3, gid: UID + 3 });
  t.after(() => bystander.kill('SIGKILL'));
  await once(bystander, 'spawn');
  assert.equal(await createEndUser({ prlimit: '/bin/false', setpriv: astray }, [])(UID + 2), 'unavailable');
  assert.equal(bystander.signalCode, null);
  const { status } = spawnSync('/bin/kill', ['-0', String(bystander.pid)]);
  assert.equal(status, 0);
});

test('root and what is no user id are never ended', async () => {
  for (const uid of [0, -1, Number.NaN, 1.5]) await assert.rejects(createEndUser(undefined, [])(uid), RangeError);
});
