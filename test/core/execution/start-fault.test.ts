import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confinementFault } from '../../../src/core/execution/start-fault.ts';

test('what util-linux says when it cannot start the tool is a fault of the confinement', () => {
  assert.equal(
    confinementFault(127, 'setpriv: failed to execute /bin/x: No such file or directory\n')?.code,
    'CONFINEMENT',
  );
  assert.equal(confinementFault(1, 'prlimit: failed to set the NPROC resource limit\n')?.code, 'CONFINEMENT');
});

test('a tool that imitates it with another exit code or with more output is not believed', () => {
  const line = 'setpriv: failed to execute /bin/x\n';
  for (const code of [null, 0, 2, 64, 255]) assert.equal(confinementFault(code, line), undefined);
  for (const said of [`${line}more\n`, `first\n${line}`, '']) assert.equal(confinementFault(127, said), undefined);
});
