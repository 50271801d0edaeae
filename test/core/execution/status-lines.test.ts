import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStatusReader } from '../../../src/core/execution/status-lines.ts';

function read(...chunks: readonly string[]) {
  const reader = createStatusReader();
  for (const chunk of chunks) reader.take(Buffer.from(chunk));
  return reader.read();
}

test('each fault of the chain has the code of its cause', () => {
  const expected = {
    'landlock 38': 'KERNEL_UNSUPPORTED',
    'landlock 95': 'KERNEL_UNSUPPORTED',
    'seccomp 1': 'SYSCALL_DENIED',
    'rlimit 13': 'SYSCALL_DENIED',
    'fork 11': 'EAGAIN',
    'fork 24': 'EMFILE',
    'cgroup 23': 'ENFILE',
    'exec 2': 'HELPER_MISSING',
    'exec 13': 'HELPER_MISSING',
    'egress 2': 'HELPER_MISSING',
    'landlock 2': 'CONFINEMENT',
    'option 22': 'CONFINEMENT',
    'lifeline 999': 'CONFINEMENT',
  };
  for (const [line, code] of Object.entries(expected)) assert.equal(read(`fault ${line}\n`).fault?.code, code, line);
});

test('after "ready" a failed execve is the tool’s own fault, before it that of a program of the chain', () => {
  assert.equal(read('ready abi=6 tcp=1 scope=1\nfault exec 2\n').fault?.code, 'ENOENT');
  assert.equal(read('fault exec 2\n').fault?.code, 'HELPER_MISSING');
});

test('lines arrive in any pieces, and an unfinished one is none', () => {
  const status = read('ready abi=6 t', 'cp=1 scope=0\nen', 'd 3\n');
  assert.deepEqual(
    [...(status.ready ?? [])],
    [
      ['abi', 6],
      ['tcp', 1],
      ['scope', 0],
    ],
  );
  assert.equal(status.killed, 3);
  assert.equal(read('end 3').killed, undefined);
  assert.equal(read('fault landlock 38').fault, undefined);
});

test('what is no status line says nothing, and a flood is not kept', () => {
  for (const line of ['end -1', 'end 1 2', 'END 1', ' end 1', 'ending 1'])
    assert.equal(read(`${line}\n`).killed, undefined);
  for (const line of ['fault', 'fault x', 'fault landlock -1', 'fault LANDLOCK 1'])
    assert.equal(read(`${line}\n`).fault, undefined);
  assert.equal(read('x'.repeat(5000), '\nend 0\n').killed, undefined);
});
