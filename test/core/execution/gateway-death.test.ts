import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { sweepLeftovers } from '../../../src/core/execution/leftovers.ts';
import type { LayerName } from '../../../src/core/execution/types.ts';
import type { Log } from '../../../src/core/log.ts';
import { COMBINATIONS, fakeTools, KILL_LIMIT_MS, living, silent, startBench, until } from './harness.ts';

const LIFE = fileURLToPath(new URL('./life.ts', import.meta.url));
/** The tree of four and a tool that ignores signals. */
const TOOLS = 5;

interface Life {
  readonly scratchParent: string;
  /** Everything that it started and that lives, without itself. */
  left(): readonly number[];
  /** What it said until its end. */
  end(signal: NodeJS.Signals): Promise<string>;
}

let lives = 0;

/** Another gateway with five hostile processes under it; whatever a failed test leaves of them is ended. */
async function startLife(t: TestContext, directory: string, disable: readonly LayerName[]): Promise<Life> {
  lives += 1;
  const scratchParent = `${directory}/life-${lives}`;
  const child = spawn(process.execPath, [LIFE, scratchParent, directory, disable.join(',')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const left = () => living(directory).filter((pid) => pid !== child.pid);
  const over = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await over;
    if (existsSync(scratchParent)) await sweepLeftovers(scratchParent, systemClock);
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  assert.ok(await until(() => said.includes('started\n')), 'it started its tools');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await over;
    return said.replace('started\n', '').trim();
  };
  return { scratchParent, left, end };
}

for (const { name, disable } of COMBINATIONS) {
  describe(`the end of a gateway (${name})`, () => {
    test('SIGTERM: it ends every tree before it goes', async (t) => {
      const life = await startLife(t, fakeTools(t), disable);
      assert.ok(life.left().length >= TOOLS);
      const startedAt = performance.now();
      assert.equal(await life.end('SIGTERM'), 'cancelled 0, cancelled 0');
      t.diagnostic(`nothing left after ${(performance.now() - startedAt).toFixed(0)} ms`);
      assert.deepEqual(life.left(), []);
    });

    test('SIGKILL: nothing is left, by the lifeline or the namespace alone; or the next start ends it', async (t) => {
      const life = await startLife(t, fakeTools(t), disable);
      const before = life.left().length;
      assert.ok(before >= TOOLS);
      // More than the tools themselves: a supervisor or a namespace's own programs hold each run.
      const isHeld = before > TOOLS;
      assert.ok(isHeld || disable.includes('L2'));
      const startedAt = performance.now();
      await life.end('SIGKILL');
      // Layers 0 and 1 alone: PDEATHSIG ends the two tools, and their three daemons need the next start.
      const expected = isHeld ? 0 : 3;
      assert.ok(await until(() => life.left().length <= expected, KILL_LIMIT_MS), String(life.left()));
      t.diagnostic(`${expected} left after ${(performance.now() - startedAt).toFixed(0)} ms`);
      assert.equal(life.left().length, expected);
      const said: unknown[] = [];
      const log: Log = { ...silent, warn: (event, facts) => void said.push([event, facts]) };
      const { executor } = await startBench(t, { scratchParent: life.scratchParent, disable, log });
      assert.deepEqual(life.left(), []);
      assert.deepEqual(readdirSync(life.scratchParent), []);
      const facts = { directories: 2, ended: isHeld ? 0 : 1, survivors: 0, groups: 0 };
      assert.deepEqual(said, [['leftovers.ended', facts]]);
      assert.equal(executor.layers[0]?.state, 'proved');
    });
  });
}

test('the start of a gateway leaves the runs of a living one alone', async (t) => {
  const directory = fakeTools(t);
  const life = await startLife(t, directory, ['L2', 'L3']);
  const before = life.left();
  assert.equal(before.length, TOOLS);
  const second = await startBench(t, { scratchParent: `${directory}/second`, disable: ['L2', 'L3'] });
  await second.run({ binary: second.fake('escape'), argv: ['1'] });
  await second.executor.close();
  assert.deepEqual(life.left(), before);
  await life.end('SIGKILL');
  assert.equal((await sweepLeftovers(life.scratchParent, systemClock)).survivors, 0);
  assert.deepEqual(life.left(), []);
});
