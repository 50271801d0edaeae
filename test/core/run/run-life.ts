/*
 * One life of a gateway's runs over a real store, in a process of its own that will be killed: recovers what the last
 * life left, then starts runs without end. Prints `ready`, `created ID` and `ended ID STATE`, each only after the engine
 * said so, and writes every process that it starts into a file. Arguments: data directory, that file, and `hold`: each
 * run goes on for ever and says `held ID` once its output is stored.
 */
import { appendFileSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Executor } from '../../../src/core/execution/types.ts';
import { openStore } from '../../../src/store/store.ts';
import { engineFixture } from '../../fixtures/engine.ts';
import { EXECUTED } from '../../fixtures/held-process.ts';

const [, , dataDir = '', startsFile = '', way] = process.argv;
const say = (line: string) => void writeSync(1, `${line}\n`);
const BLOCK = Buffer.alloc(70_000, 'partial output of a run\n');

const run: Executor['run'] = async ({ runId }, channels) => {
  appendFileSync(startsFile, `${runId}\n`);
  await channels.onStdout(BLOCK);
  for (;;) {
    if (way !== 'hold') break;
    await sleep(5);
    const { total } = await store.output.read(runId, 'stdout', { offset: 0, limit: 1 });
    if (total === BLOCK.length) say(`held ${runId}`);
  }
  await sleep(Math.random() * 40);
  const stdout = { bytes: BLOCK.length, truncated: false };
  return { ...EXECUTED, ending: channels.signal.aborted ? 'cancelled' : 'exited', stdout };
};

const store = await openStore(dataDir);
const { engine, start } = engineFixture({ realStore: store, run, places: 2 });
await engine.recover();
say('ready');
// A killed process would not leave its compiled modules to the next one.
flushCompileCache();
for (;;) {
  const started = await start({ idempotencyKey: `${process.pid} ${performance.now()}` });
  if (Math.random() < 0.7) await started.detach();
  say(`created ${started.runId}`);
  const tell = async () => {
    const isDone = await started.ended.then(
      () => true,
      () => true,
    );
    if (isDone) say(`ended ${started.runId} ${(await started.read()).state}`);
  };
  void tell();
  // More than can run at once: some wait, and some of those only with their caller.
  while (engine.runs.size > 6) await sleep(1);
}
