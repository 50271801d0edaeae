/*
 * What a taken-over tool could do to the gateway in spite of every layer: each test is an attack that once got through.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { watchScratch } from '../../src/core/execution/scratch-watch.ts';
import { publicDirectory, scriptNeeds, sharedBench, startBench } from '../core/execution/harness.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';

const bench = sharedBench({ disable: ['L3'] });
const python = (script: string, more: object = {}) =>
  bench().run({ binary: '/usr/bin/python3', argv: ['-I', '-S', '-c', script], needs: scriptNeeds('/bin'), ...more });

test('a tool has no socket to the gateway over which it could hand it a descriptor that is slow to close', async () => {
  const script = `
import os, socket, stat
print(*[stat.S_ISFIFO(os.fstat(each).st_mode) for each in range(3)])
for each in range(3):
  try:
    socket.send_fds(socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=os.dup(each)), [b'x'], [2])
    print('sent')
  except OSError as error:
    print(error.strerror)`;
  const { out, err, startFault } = await python(script, { stdin: 'text' });
  assert.equal(startFault, undefined);
  const refused = 'Socket operation on non-socket\n';
  assert.equal(out, `True True True\n${refused.repeat(3)}`, err);
});

test('what is larger than every pipe goes through whole, in both directions', async () => {
  const text = '0123456789abcdef'.repeat(40_000);
  const { out, err, stdout, exitCode } = await bench().run({
    binary: '/bin/sh',
    argv: ['-c', 'tee /dev/null; echo end >&2'],
    stdin: text,
  });
  assert.equal(exitCode, 0);
  assert.equal(out, text);
  assert.equal(err, 'end\n');
  assert.deepEqual(stdout, { bytes: text.length, truncated: false });
});

test('what a program wrote before its end arrives, and a child that holds the output does not delay the end', async () => {
  const { out, exitCode, survivors } = await bench().run({
    binary: '/bin/sh',
    argv: ['-c', 'sleep 600 & head -c 300000 /dev/zero; exit 7'],
  });
  assert.equal(exitCode, 7);
  assert.equal(out.length, 300_000);
  assert.equal(survivors, 0);
});

test('a name is not enough to empty a file of the gateway, on kernels whose Landlock knows no truncation either', async (t) => {
  const key = join(publicDirectory(t), 'keys.json');
  writeFileSync(key, 'secret');
  const script = `
import os
try: os.truncate(${JSON.stringify(key)}, 0)
except OSError as error: print(error.errno)`;
  // EPERM is the system call filter's, EACCES would be Landlock's.
  assert.equal((await python(script)).out, '1\n');
  assert.equal(readFileSync(key, 'latin1'), 'secret');
});

test('layer 2 is proved, and no probe waits for children it may not signal, where Landlock knows neither', async (t) => {
  const [sources, builds] = [join(publicDirectory(t), 'sources'), join(publicDirectory(t), 'builds')];
  cpSync(LAUNCHER_PLACE.sources, sources, { recursive: true });
  const launcher = join(sources, 'launcher.c');
  const text = readFileSync(launcher, 'utf8');
  const older = text.replace('#define NEWEST_ABI 6', '#define NEWEST_ABI 2');
  assert.notEqual(older, text);
  writeFileSync(launcher, older);
  const { status, stderr } = spawnSync('/bin/sh', [join(sources, 'build.sh'), builds], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { executor } = await startBench(t, { launcher: { sources, builds }, disable: ['L3'] });
  const layer = executor.layers.find(({ name }) => name === 'L2');
  assert.equal(layer?.state, 'proved', layer?.evidence);
  assert.match(layer.evidence, /Landlock ABI 2 /);
});

test('a tool cannot use up what its user has once for all processes, close its directory, or leave TCP', async () => {
  const script = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
print(libc.inotify_init1(0), ctypes.get_errno())
print(libc.fchmod(0, 0o777), ctypes.get_errno())
try: socket.socket(socket.AF_INET, socket.SOCK_STREAM).setsockopt(6, 31, b'smc')
except OSError as error: print(error.errno)`;
  assert.equal((await python(script)).out, '-1 1\n-1 1\n1\n');
});

const firstLook = (path: string, freeBytes?: () => Promise<number>): Promise<string> =>
  new Promise((resolve) => {
    const watch = watchScratch(path, () => resolve('full'), freeBytes === undefined ? {} : { freeBytes });
    // The control: it sees the same disk two looks later, when the other one would have spoken.
    let looks = 0;
    const control = watchScratch('/nowhere', () => undefined, {
      freeBytes: () => {
        looks += 1;
        if (looks > 3) {
          watch.stop();
          control.stop();
          resolve('quiet');
        }
        return Promise.resolve(0);
      },
    });
  });

test('a directory that the tool closed does not hide what is in it, behind a name that is no text either', async (t) => {
  const scratch = publicDirectory(t);
  assert.equal(await firstLook(scratch), 'quiet');
  const odd = Buffer.concat([Buffer.from(`${scratch}/`), Buffer.from([0xff])]);
  const closed = Buffer.concat([odd, Buffer.from('/closed')]);
  mkdirSync(odd);
  mkdirSync(closed);
  chmodSync(closed, 0);
  assert.equal(await firstLook(scratch), 'full');
  chmodSync(closed, 0o700);
});

test('files without names are seen by what the disk has lost, not by a disk that was low before', async (t) => {
  const scratch = publicDirectory(t);
  const falling = [1_200_000_000, 500_000_000];
  assert.equal(await firstLook(scratch, () => Promise.resolve(falling.shift() ?? 500_000_000)), 'full');
  assert.equal(await firstLook(scratch, () => Promise.resolve(500_000_000)), 'quiet');
});
