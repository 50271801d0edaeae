import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { signalProcess } from '../../../src/core/execution/signal.ts';
import { startProcess } from '../../../src/core/execution/spawn.ts';

const QUIET_MS = 60;
/** So long that a writer on a busy machine is not taken for a silent one. */
const LONG_QUIET_MS = 1000;

/** Starts a perl script whose first line of output is the pid of a child that outlives it. */
async function startWithSurvivor(t: TestContext, child: string) {
  let out = '';
  const started = await startProcess({
    argv: ['/usr/bin/perl', '-e', `$| = 1; my $pid = fork; if ($pid) { print "$pid\\n"; exit } ${child}`],
    env: {},
    cwd: '/',
    stdin: undefined,
    hasLifeline: false,
    strayDescriptors: [],
    onStdout: (chunk) => {
      out += chunk.toString();
    },
    onStderr: () => undefined,
  });
  // The child may have written before its parent did.
  t.after(() => signalProcess(Number(/\d+/.exec(out)?.[0]), 'SIGKILL'));
  await started.exited;
  return started;
}

test('a survivor that writes on does not hold the run, and the drain says so', async (t) => {
  const started = await startWithSurvivor(
    t,
    '$SIG{PIPE} = "IGNORE"; while (1) { print "x"; select undef, undef, undef, 0.01 }',
  );
  assert.equal(await started.drain(LONG_QUIET_MS), false);
});

test('a silent survivor that holds the pipes is let go as quiet', async (t) => {
  const started = await startWithSurvivor(t, 'sleep 600');
  assert.equal(await started.drain(QUIET_MS), true);
});
