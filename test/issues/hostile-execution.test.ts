/*
 * What holds against a tool that was taken over and against callers that leave at any moment: nothing of another run can
 * be reached while it runs, and no moment of withdrawal leaves a process, a directory or a place behind.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eachProcess, processEnvironment } from '../../src/core/execution/proc.ts';
import { collect, isRoot, startBench } from '../core/execution/harness.ts';

/** Longest wait for something that happens at once when the code is right. */
const PATIENCE_MS = 20_000;

/** Living processes whose environment names this scratch parent. */
async function processesIn(scratchParent: string): Promise<number> {
  let found = 0;
  await eachProcess((pid) => {
    if (processEnvironment(pid).some((entry) => entry.startsWith(`HOME=${scratchParent}/`))) found += 1;
  });
  return found;
}

/** The first process with an entry of its environment that ends so, as soon as it is there. */
async function findProcess(entryEnd: string): Promise<number> {
  const found: number[] = [];
  for (const end = performance.now() + PATIENCE_MS; found.length === 0; await delay(5)) {
    if (performance.now() > end) throw new Error(`no process with ${entryEnd}`);
    await eachProcess((pid) => {
      if (processEnvironment(pid).some((entry) => entry.endsWith(entryEnd))) found.push(pid);
    });
  }
  return found[0] ?? 0;
}

/** An executor of this test alone, with user-id claims that no other test sees. */
async function startAlone(t: TestContext, uidBase: number) {
  const claimDirectory = mkdtempSync(join(tmpdir(), 'sallyport-claims-'));
  const bench = await startBench(t, { claimDirectory, uidBase, killGraceMs: 20 });
  // Hooks run in the order of their registration: the executor gives its claims back before.
  t.after(() => rmSync(claimDirectory, { recursive: true, force: true }));
  return { ...bench, claimDirectory };
}

test('a call withdrawn at any moment leaves no process, no directory, no place and no user id behind', async (t) => {
  const { executor, scratchParent, fake, claimDirectory } = await startAlone(t, 63_100);
  const script = '(sleep 60 &) ; sleep 60';
  const withdraw = async (afterMs: number, binary: string, argv: readonly string[]) => {
    const stop = new AbortController();
    const running = collect(executor, { binary, argv, files: [{ name: 'list', content: 'x' }] }, stop.signal);
    await delay(afterMs);
    stop.abort();
    const { ending, survivors } = await running;
    assert.ok(['cancelled', 'exited'].includes(ending), ending);
    assert.equal(survivors, 0);
  };
  for (let round = 0; round < 8; round += 1) {
    await Promise.all([
      withdraw(0, '/bin/sh', ['-c', script]),
      withdraw(round, '/bin/sh', ['-c', script]),
      withdraw(round * 3, fake('stubborn'), []),
      withdraw(round * 7, fake('escape'), ['2', 'stay']),
    ]);
  }
  assert.equal(executor.active, 0);
  assert.deepEqual(readdirSync(scratchParent), []);
  assert.equal(await processesIn(scratchParent), 0);
  // Twelve places, four of them used at once: more claims would be user ids that were lost on the way.
  if (isRoot) assert.ok(readdirSync(claimDirectory).length <= 12, String(readdirSync(claimDirectory)));
});

test('a run reaches nothing of another run that lives beside it', {
  skip: isRoot ? false : 'tools share a user id here',
}, async (t) => {
  const bench = await startAlone(t, 63_200);
  const stop = new AbortController();
  const victim = collect(
    bench.executor,
    { runId: 'victim', binary: '/bin/sh', argv: ['-c', 'umask 0; echo secret > mine; sleep 60'] },
    stop.signal,
  );
  const pid = await findProcess('/victim');
  const name = readdirSync(bench.scratchParent).find((each) => each.endsWith('.victim'));
  const scratch = join(bench.scratchParent, name ?? '');
  const places = [`/proc/${pid}/environ`, `/proc/${pid}/mem`, `/proc/${pid}/maps`, `${scratch}/mine`];
  const attack = [
    ...places.map((place) => `if head -c 1 ${place} >/dev/null 2>&1; then echo reached ${place}; fi`),
    ...['fd', 'cwd', 'root'].map(
      (name) => `if ls /proc/${pid}/${name}/ >/dev/null 2>&1; then echo reached ${name}; fi`,
    ),
    `if ls ${bench.scratchParent} >/dev/null 2>&1; then echo reached the list; fi`,
    `if kill -0 ${pid} 2>/dev/null; then echo reached by signal; fi`,
    `if ln ${scratch}/mine stolen 2>/dev/null; then echo reached by link; fi`,
    `if (: > ${scratch}/planted) 2>/dev/null; then echo reached by writing; fi`,
    'echo tried',
  ].join('\n');
  assert.equal((await bench.run({ binary: '/bin/sh', argv: ['-c', attack] })).out, 'tried\n');
  stop.abort();
  assert.equal((await victim).ending, 'cancelled');
});
