import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLayerWays, type LayerWay } from './layer-ways.ts';
import type { Role } from './protocol.ts';

const MIB = 1_048_576;

/** A process that starts the same program in every way, so that all of them see the same machine and the same memory. */
export async function startLayerRole(): Promise<Role> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const { ways, absent, close } = await createLayerWays(directory).catch((thrown: unknown) => {
    remove();
    throw thrown;
  });
  const byName = new Map(ways.map((way) => [way.name, way]));
  const ballast: Buffer[] = [];
  const wayOf = (name: string): LayerWay => {
    const way = byName.get(name);
    if (way === undefined) throw new Error(`there is no way "${name}"`);
    return way;
  };
  return {
    origin: '',
    key: '',
    handlers: {
      ways: async () => ({ names: [...byName.keys()], absent }),
      starts: ({ names, count, measure }) => {
        return inTurn(names.map(wayOf), count, measure === 'wall' ? wallTime : longestBlock);
      },
      rate: ({ name, width, ms }) => startRate(wayOf(name), width, ms),
      ballast: async ({ mib }) => {
        // Written to, so that every page of it is there.
        while (ballast.length < mib) ballast.push(Buffer.alloc(MIB, 1));
        return {};
      },
    },
    close: async () => {
      await close();
      remove();
    },
  };
}

type Measurement = (start: () => Promise<void>) => Promise<number>;

/** Every way once, then every way again, each time in another order: nobody always follows the slowest. */
async function inTurn(ways: readonly LayerWay[], count: number, measure: Measurement): Promise<number[][]> {
  const values: number[][] = ways.map(() => []);
  for (let turn = 0; turn < count; turn += 1) {
    const order = [...ways.entries()].map((entry) => ({ entry, place: Math.random() }));
    for (const { entry } of order.toSorted((a, b) => a.place - b.place)) {
      const [at, { start }] = entry;
      values[at]?.push(await measure(start));
    }
  }
  return values;
}

async function wallTime(start: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await start();
  return performance.now() - startedAt;
}

/** The longest time from one turn of the event loop to the next: how long everybody else's request had to wait. */
async function longestBlock(start: () => Promise<void>): Promise<number> {
  // What an earlier start left to the collector is not this one's.
  globalThis.gc?.({ type: 'minor', execution: 'sync' });
  let lastTurn = performance.now();
  let longest = 0;
  let isOver = false;
  const look = () => {
    const turn = performance.now();
    longest = Math.max(longest, turn - lastTurn);
    lastTurn = turn;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await start();
  isOver = true;
  look();
  return longest;
}

/** Starts for a second with so many at once. */
async function startRate({ start }: LayerWay, width: number, ms: number): Promise<number> {
  const startedAt = performance.now();
  let count = 0;
  const one = async () => {
    while (performance.now() - startedAt < ms) {
      await start();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return (count * 1000) / (performance.now() - startedAt);
}
