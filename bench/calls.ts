import { modernCaller, restCaller, sessionCaller } from './clients.ts';
import type { Measured, Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { median, ratios, ratioText, spreadText, type Table } from './statistics.ts';
import { noopTool } from './tools.ts';

/** One way to run the no-op program once. Answer: milliseconds. */
interface Way {
  readonly name: string;
  readonly run: () => Promise<number>;
}

const WARM_UP_CALLS = 4;

/** A call of a tool that does nothing, through every door, against the same confined process without a door. */
export async function measureCalls(processes: Processes, sizes: Sizes): Promise<Table> {
  const gateway = await processes.start('runs');
  const callers = [restCaller(gateway), await sessionCaller(gateway), await modernCaller(gateway)] as const;
  const [rest, session, modern] = callers;
  const hardened: Way = { name: 'the executor alone', run: () => gateway.ask('hardened', {}) };
  const ways: readonly Way[] = [
    { name: 'the run engine, no HTTP', run: () => gateway.ask('engine', {}) },
    { name: 'REST', run: () => timed(() => rest.call(noopTool.name, {})) },
    { name: 'MCP session (SDK 1.x client)', run: () => timed(() => session.call(noopTool.name, {})) },
    { name: 'MCP 2026-07-28 (SDK 2.x client)', run: () => timed(() => modern.call(noopTool.name, {})) },
    { name: 'GET /health/live, no process', run: () => timed(() => askWhetherAlive(gateway)) },
    { name: 'child_process.spawn, unconfined', run: () => gateway.ask('plain', {}) },
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

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** A request that starts nothing: what HTTP alone costs here and now. */
async function askWhetherAlive(gateway: Measured): Promise<void> {
  const response = await fetch(`${gateway.origin}/health/live`);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`/health/live answered ${response.status}`);
}

/** Call by call in turn, A B C D A B C D. Answer: the median of each round, by way. */
async function measureRounds(ways: readonly Way[], { rounds, calls }: Sizes): Promise<number[][]> {
  await measureRound(ways, WARM_UP_CALLS);
  const medians: number[][] = ways.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, times] of (await measureRound(ways, calls)).entries()) medians[at]?.push(median(times));
  }
  return medians;
}

async function measureRound(ways: readonly Way[], calls: number): Promise<number[][]> {
  const times: number[][] = ways.map(() => []);
  for (let call = 0; call < calls; call += 1) {
    for (const [at, way] of ways.entries()) times[at]?.push(await way.run());
  }
  return times;
}
