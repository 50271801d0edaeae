/*
 * What holds against a tool that was taken over and against callers that leave at any moment: nothing of another run can
 * be reached while it runs, and no moment of withdrawal leaves a process, a directory or a place behind.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eachProcess, processEnvironment } from '../../src/core/execution/proc.ts';
import { collect, COMBINATIONS, living, sharedBench } from '../core/execution/harness.ts';

/** Longest wait for something that happens at once when the code is right. */
const PATIENCE_MS = 20_000;

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

for (const { name: combination, disable } of COMBINATIONS) {
  describe(`hostile execution (${combination})`, () => {
    const bench = sharedBench({ disable, killGraceMs: 20 });

    test('a call withdrawn at any moment leaves no process, no directory and no place behind', async () => {
      const { executor, scratchParent, fake, needs, directory } = bench();
      const script = '(sleep 60 &) ; sleep 60';
      const withdraw = async (afterMs: number, binary: string, argv: readonly string[]) => {
        const stop = new AbortController();
        const files = [{ name: 'list', content: 'x' }];
        const running = collect(executor, { binary, argv, needs, files }, stop);
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
      assert.deepEqual(living(directory), []);
    });

    test('a run reaches nothing of another run that lives beside it where layer 2 or 3 holds', async () => {
      const { executor, scratchParent, run, directory, needs } = bench();
      const stop = new AbortController();
      const created = Promise.withResolvers<void>();
      const victim = collect(
        executor,
        {
          runId: 'victim',
          binary: '/bin/sh',
          argv: ['-c', 'umask 0; echo secret > mine; echo there; exec sleep 60'],
          needs,
        },
        { signal: stop.signal, onOutput: () => created.resolve() },
      );
      await created.promise;
      const pid = await findProcess('/victim');
      const name = readdirSync(scratchParent).find((each) => each.endsWith('.victim'));
      const scratch = join(scratchParent, name ?? '');
      const places = [`/proc/${pid}/environ`, `/proc/${pid}/mem`, `/proc/${pid}/maps`, `${scratch}/mine`];
      const attack = [
        ...places.map((place) => `if head -c 1 ${place} >/dev/null 2>&1; then echo reached ${place}; fi`),
        ...['fd', 'cwd', 'root'].map(
          (link) => `if ls /proc/${pid}/${link}/ >/dev/null 2>&1; then echo reached ${link}; fi`,
        ),
        `case "$(ls ${scratchParent} 2>/dev/null)" in *.victim*) echo reached the list ;; esac`,
        `if kill -0 ${pid} 2>/dev/null; then echo reached by signal; fi`,
        `if ln ${scratch}/mine stolen 2>/dev/null; then echo reached by link; fi`,
        `if (: > ${scratch}/planted) 2>/dev/null; then echo reached by writing; fi`,
        'echo tried',
      ].join('\n');
      // What the attacking shell itself stands on, as a tool would say it.
      const shell = { read: ['/usr/bin', '/bin'], execute: ['/usr/bin', '/bin'] };
      const ran = await run({ binary: '/bin/sh', argv: ['-c', attack], needs: shell });
      stop.abort();
      assert.equal((await victim).ending, 'cancelled');
      assert.deepEqual(living(directory), []);
      assert.match(ran.out, /tried\n$/, ran.err);
      if (ran.layers.some((layer) => layer === 'L2' || layer === 'L3')) {
        assert.equal(ran.out, 'tried\n');
        return;
      }
      // The honest limit of layers 0 and 1: one user id, and nothing between the runs.
      for (const reached of ['environ', 'mine', 'the list', 'by signal', 'by writing'])
        assert.match(ran.out, RegExp(reached));
    });
  });
}
