import { setTimeout as sleep } from 'node:timers/promises';
import { jsonHeaders, restCaller } from './clients.ts';
import type { Measured, Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { ratios, ratioText, spreadText, type Table } from './statistics.ts';
import { noopTool } from './tools.ts';

const MIB = 1_048_576;
const WARM_UP_CALLS = 5;
const IDLE_MS = 1000;

/** What one gateway process went through: growth of its resident memory at its highest, bytes. */
interface Growth {
  readonly name: string;
  readonly run: (gateway: Measured) => Promise<void>;
}

/** Growth of the gateway while a child writes a lot, against a process that keeps what a child writes. */
export async function measureMemory(processes: Processes, sizes: Sizes): Promise<Table> {
  const { floodMib, naiveMib } = sizes;
  const cases: readonly Growth[] = [
    { name: `truncate: ${floodMib} MiB written and drained`, run: (gateway) => flood(gateway, 'truncate', floodMib) },
    {
      name: `truncate: ${floodMib / 4} MiB written and drained`,
      run: (gateway) => flood(gateway, 'truncate', floodMib / 4),
    },
    {
      name: `kill: ended at the cap of stdout, of ${floodMib} MiB`,
      run: (gateway) => flood(gateway, 'kill', floodMib),
    },
    { name: 'idle for a second', run: () => sleep(IDLE_MS) },
  ];
  const growths: number[][] = cases.map(() => []);
  const naive: number[] = [];
  for (let round = 0; round < sizes.memoryRounds; round += 1) {
    for (const [at, each] of cases.entries()) growths[at]?.push((await growGateway(processes, each)) / MIB);
    naive.push((await growNaively(processes, naiveMib)) / MIB);
  }
  const kept = `${naiveMib} MiB kept`;
  return {
    title: '(c) growth of resident memory while a child writes, against a process that keeps what a child writes',
    head: ['row', 'growth', `growth, ${kept}`, `growth, ÷ ${kept}`],
    rows: cases.map(({ name }, at) => {
      const own = growths[at] ?? [];
      return [name, spreadText(own, 'MiB'), spreadText(naive, 'MiB'), ratioText(ratios(own, naive))];
    }),
  };
}

/** A fresh process for each: memory that an earlier flood took and never gave back would hide the next one. */
async function growGateway(processes: Processes, each: Growth): Promise<number> {
  const gateway = await processes.start('runs');
  const caller = restCaller(gateway);
  for (let at = 0; at < WARM_UP_CALLS; at += 1) await caller.call(noopTool.name, {});
  await gateway.ask('watch', {});
  await each.run(gateway);
  const growth = await gateway.ask('watched', {});
  await gateway.stop();
  return growth;
}

/** Throws unless the run ended as its mode says: an early refusal must not pass for thrift. */
async function flood(gateway: Measured, mode: 'truncate' | 'kill', mib: number): Promise<void> {
  const response = await fetch(`${gateway.origin}/v1/tools/flood_${mode}/runs`, {
    method: 'POST',
    headers: jsonHeaders(gateway),
    body: JSON.stringify({ input: { bytes: mib * MIB } }),
  });
  const text = await response.text();
  const body = JSON.parse(text) as FloodAnswer;
  const run = mode === 'truncate' ? body : body.details?.run;
  const written = run?.stdout?.bytes ?? 0;
  const isWhole = mode === 'truncate' ? written === mib * MIB : written > 0 && written < mib * MIB;
  if (!isWhole || run?.stdout?.truncated !== true) throw new Error(`the flood ended with ${text.slice(0, 500)}`);
}

interface FloodRun {
  readonly stdout?: { readonly bytes: number; readonly truncated: boolean };
}
interface FloodAnswer extends FloodRun {
  readonly details?: { readonly run?: FloodRun };
}

async function growNaively(processes: Processes, mib: number): Promise<number> {
  const naive = await processes.start('naive');
  await naive.ask('watch', {});
  const kept = await naive.ask('accumulate', { mib });
  const growth = await naive.ask('watched', {});
  await naive.stop();
  if (kept !== mib * MIB) throw new Error(`${kept} bytes were kept`);
  return growth;
}
