import { modernCaller, restCaller, sessionCaller, type ToolCaller } from './clients.ts';
import type { Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { median, ratios, ratioText, spreadText, type Table } from './statistics.ts';
import { noopTool } from './tools.ts';

/** One way to run the no-op program some times, one after the other. Answer: milliseconds of each. */
interface Way {
  readonly name: string;
  readonly run: (count: number) => Promise<readonly number[]>;
}

const WARM_UP_CALLS = 4;

/** A call of a tool that does nothing, through every door, against the same confined process without a door. */
export async function measureCalls(processes: Processes, sizes: Sizes): Promise<Table> {
  const gateway = await processes.start('gateway');
  const callers = [restCaller(gateway), await sessionCaller(gateway), await modernCaller(gateway)] as const;
  const [rest, session, modern] = callers;
  const hardened: Way = { name: 'the executor alone', run: (count) => gateway.ask('hardened', { count }) };
  const ways: readonly Way[] = [
    { name: 'REST', run: timed(rest) },
    { name: 'MCP session (SDK 1.x client)', run: timed(session) },
    { name: 'MCP 2026-07-28 (SDK 2.x client)', run: timed(modern) },
    { name: 'child_process.spawn, unconfined', run: (count) => gateway.ask('plain', { count }) },
  ];
  const rounds = await measureRounds([hardened, ...ways], sizes);
  for (const caller of callers) await caller.close();
  await gateway.stop();
  const [base = [], ...others] = rounds;
  return {
    title: '(a) one call of a no-op tool, against the same confined process started by the executor alone',
    head: ['row', 'median of rounds', 'executor alone', 'ratio'],
    rows: ways.map(({ name }, at) => {
      const own = others[at] ?? [];
      return [name, spreadText(own, 'ms'), spreadText(base, 'ms'), ratioText(ratios(own, base))];
    }),
  };
}

function timed(caller: ToolCaller): Way['run'] {
  return async (count) => {
    const times: number[] = [];
    for (let at = 0; at < count; at += 1) {
      const start = performance.now();
      await caller.call(noopTool.name, {});
      times.push(performance.now() - start);
    }
    return times;
  };
}

/** Every way in every round, in turn: A B C D A B C D. Answer: the median of each round, by way. */
async function measureRounds(ways: readonly Way[], { rounds, calls }: Sizes): Promise<number[][]> {
  for (const way of ways) await way.run(WARM_UP_CALLS);
  const medians: number[][] = ways.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, way] of ways.entries()) medians[at]?.push(median(await way.run(calls)));
  }
  return medians;
}
