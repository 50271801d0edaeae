/*
 * A gateway's executor in a process of its own that runs short of something: `disk DIRECTORY` fills the file system of
 * the directory itself, `processes DIRECTORY` waits until its caller has taken away the right to start any. Says its
 * pid, then for each run how it ended, why not, and the last fault of the executor.
 */
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { startBench } from './harness.ts';

const [, , what = '', directory = ''] = process.argv;
const ends: (() => void | Promise<void>)[] = [];
const { run, executor } = await startBench(
  { after: (end) => void ends.unshift(end) },
  { scratchParent: `${directory}/scratch`, disable: ['L2', 'L3'] },
);
async function say(): Promise<void> {
  const ran = await run({ files: [{ name: 'list', content: 'x'.repeat(100_000) }] });
  const [why, last] = [ran.startFault?.code ?? 'none', executor.lastFault()?.code ?? 'none'];
  process.stdout.write(`${ran.ending} ${why} ${last}\n`);
}

process.stdout.write(`pid ${process.pid}\n`);
await once(process.stdin, 'data');
process.stdin.destroy();
if (what === 'disk') {
  await say();
  mkdirSync(`${directory}/full`);
  try {
    writeFileSync(`${directory}/full/file`, Buffer.alloc(2_000_000));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  await say();
  rmSync(`${directory}/full`, { recursive: true });
}
await say();
for (const end of ends) await end();
