import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunResult } from '../../../schemas/run.ts';
import { ERRORS, SallyportError } from '../../../src/core/errors.ts';
import { CONFINEMENT_ERRORS } from '../../../src/core/execution/start-fault.ts';
import { type Ending, engineFixture } from '../../fixtures/engine.ts';

async function refusal(ending: Ending): Promise<SallyportError> {
  const thrown: unknown = await engineFixture({ ending })
    .call({})
    .then(
      () => assert.fail('it was not refused'),
      (error: unknown) => error,
    );
  assert.ok(thrown instanceof SallyportError, String(thrown));
  return thrown;
}

const notStarted = (code: string): Ending => ({
  ending: 'not_started',
  startFault: { code, message: '/opt/secret path' },
});

test('each cause why a run could not be confined has its public code, and the message names no path', async () => {
  const expected = {
    CONFINEMENT: 'ERR_EXEC_CONFINEMENT',
    HELPER_MISSING: 'ERR_EXEC_HELPER_MISSING',
    KERNEL_UNSUPPORTED: 'ERR_EXEC_KERNEL_UNSUPPORTED',
    SYSCALL_DENIED: 'ERR_EXEC_SYSCALL_DENIED',
    ENOSPC: 'ERR_EXEC_DISK_FULL',
    EDQUOT: 'ERR_EXEC_DISK_FULL',
    EMFILE: 'ERR_EXEC_DESCRIPTORS',
    ENFILE: 'ERR_EXEC_DESCRIPTORS',
    EAGAIN: 'ERR_EXEC_PROCESSES',
  } as const;
  assert.deepEqual(Object.keys(expected).sort(), Object.keys(CONFINEMENT_ERRORS).sort());
  const messages = new Set<string>();
  for (const [fault, code] of Object.entries(expected)) {
    const error = await refusal(notStarted(fault));
    assert.equal(error.code, code, fault);
    assert.equal(ERRORS[error.code].status, 503);
    assert.match(error.message, /echo was not started; nothing ran\.$/);
    assert.doesNotMatch(error.message, /secret/);
    messages.add(error.message);
  }
  assert.equal(messages.size, new Set(Object.values(expected)).size);
});

test('what is the tool’s own fault is an unavailable tool', async () => {
  for (const code of ['ENOENT', 'EACCES', 'ENOEXEC', 'E2BIG', 'toString', '__proto__']) {
    assert.equal((await refusal(notStarted(code))).code, 'ERR_TOOL_UNAVAILABLE', code);
  }
});

test('a gateway that is stopping says so', async () => {
  assert.equal((await refusal(notStarted('SHUTTING_DOWN'))).code, 'ERR_SHUTTING_DOWN');
});

test('a run that the kernel ended for its memory, or the gateway for its output, is a failure with its partial result', async () => {
  for (const ending of [
    { memoryExceeded: true, signal: 'SIGKILL', exitCode: null },
    { ending: 'output_cap' },
  ] as const) {
    const error = await refusal(ending);
    assert.equal(error.code, 'ERR_TOOL_FAILED');
    const run = error.details?.['run'] as RunResult | undefined;
    assert.deepEqual([run?.complete, run?.outcome], [false, 'failed']);
  }
});
