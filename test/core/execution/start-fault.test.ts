import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS } from '../../../src/core/errors.ts';
import {
  chainFault,
  CONFINEMENT_ERRORS,
  confinementErrorOf,
  confinementFault,
  withMissingHelper,
} from '../../../src/core/execution/start-fault.ts';

test('what util-linux and bubblewrap say when they cannot start the tool is a fault of the confinement', () => {
  const code = (exitCode: number, said: string) => confinementFault(exitCode, said)?.code;
  assert.equal(code(127, 'setpriv: failed to execute /bin/x: No such file or directory\n'), 'CONFINEMENT');
  assert.equal(code(1, 'prlimit: failed to set the NPROC resource limit\n'), 'CONFINEMENT');
  assert.equal(code(1, 'bwrap: Creating new namespace failed: Operation not permitted\n'), 'SYSCALL_DENIED');
  assert.equal(code(1, 'bwrap: Creating new namespace failed: Resource temporarily unavailable\n'), 'EAGAIN');
  // Not a full disk: the kernel says it when there are too many namespaces.
  assert.equal(code(1, 'bwrap: Creating new namespace failed: No space left on device\n'), 'CONFINEMENT');
});

test('a tool that imitates it with another exit code or with more output is not believed', () => {
  const line = 'setpriv: failed to execute /bin/x\n';
  for (const code of [null, 0, 2, 64, 255]) assert.equal(confinementFault(code, line), undefined);
  for (const said of [`${line}more\n`, `first\n${line}`, '']) assert.equal(confinementFault(127, said), undefined);
});

test('a chain that ended without a word of its status is told by what it printed', () => {
  assert.equal(chainFault('bwrap: clone: Function not implemented\n').code, 'KERNEL_UNSUPPORTED');
  assert.equal(chainFault('bwrap: pipe: Too many open files\nmore\n').code, 'EMFILE');
  assert.equal(chainFault('').code, 'CONFINEMENT');
});

test('a program of the chain that has gone is named as the reason, and only for a fault that it explains', async () => {
  const gone = ['/bin/true', '/nonexistent/bwrap'];
  const found = await withMissingHelper({ code: 'CONFINEMENT', message: 'x' }, gone);
  assert.equal(found.code, 'HELPER_MISSING');
  assert.match(found.message, /^\/nonexistent\/bwrap /);
  const other = { code: 'EMFILE', message: 'x' };
  assert.equal(await withMissingHelper(other, gone), other);
  const present = { code: 'CONFINEMENT', message: 'x' };
  assert.equal(await withMissingHelper(present, ['/bin/true']), present);
});

test('every confinement fault has a public error of its own kind; a missing tool is none of them', () => {
  for (const [code, error] of Object.entries(CONFINEMENT_ERRORS)) {
    assert.equal(confinementErrorOf({ code, message: '' }), error);
    assert.equal(ERRORS[error].status, 503, error);
  }
  for (const code of ['ENOENT', 'EACCES', 'ENOEXEC', 'constructor'])
    assert.equal(confinementErrorOf({ code, message: '' }), undefined);
});
