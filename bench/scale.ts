import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../src/store/store.ts';
import { OWNER } from './scale-data.ts';
import { type Filled, fillStore, verifyFilled } from './scale-fill.ts';
import { SCALE_QUESTIONS, type Side } from './scale-questions.ts';
import { createBareLoop, createEventWriter, recordRun, WIDTH } from './scale-writes.ts';
import type { Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { median, ratios, ratioText, spreadText, type Table } from './statistics.ts';

const WARM_UP_CALLS = 3;
/** Each share is far from those before it, and none comes twice. */
const GOLDEN_RATIO = 0.618_033_988_749_895;

/** What is measured of one store, the small or the large one. */
interface FilledSide extends Side {
  readonly dataDir: string;
  readonly filled: Filled;
}
/** Both stores. */
type Pair<T> = readonly [small: T, large: T];
/** Measurements of both stores, round by round. */
type Measurements = Pair<number[]>;

/** How the durable store grows: every question to a small and to a large one in turn, and what its writes cost. */
export async function measureScale(_processes: Processes, sizes: Sizes): Promise<readonly Table[]> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-scale-'));
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  // Gigabytes: they go also when the time limit or Ctrl-C ends us.
  process.once('exit', remove);
  const interrupt = (): void => process.exit(130);
  process.once('SIGINT', interrupt);
  try {
    return await measureIn(root, sizes);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('exit', remove);
    remove();
  }
}

async function measureIn(root: string, sizes: Sizes): Promise<readonly Table[]> {
  const directories: Pair<string> = [join(root, 'small'), join(root, 'large')];
  for (const directory of directories) mkdirSync(directory);
  const filled = [
    await fillStore(directories[0], sizes.scaleFewRuns),
    await fillStore(directories[1], sizes.scaleManyRuns),
  ] as const;
  const startUp = await measureStartUp(directories, sizes.scaleRounds);
  const open = async (at: 0 | 1): Promise<FilledSide> => ({
    store: await openStore(directories[at]),
    dataDir: directories[at],
    runs: filled[at].runs,
    filled: filled[at],
  });
  const sides = [await open(0), await open(1)] as const;
  try {
    for (const { store, runs } of sides) await verifyFilled(store, runs);
    const bytes = await Promise.all(sides.map(async ({ store, runs }) => (await store.size()) / runs / 1000));
    const rows = [
      growthRow('opening the store and the first list', 'ms', startUp),
      growthRow('size on disk for each run', 'kB', [[bytes[0] ?? Number.NaN], [bytes[1] ?? Number.NaN]]),
    ];
    for (const { name, ask } of SCALE_QUESTIONS) {
      rows.push(growthRow(name, 'ms', await measureQuestion(sides, { name, ask }, sizes)));
    }
    const writes = await measureRecording(sides, sizes);
    rows.push(growthRow('a run written, from creation to five findings', 'ms', writes));
    return [growthTable(sides, rows), await measureEvents(root, sides, sizes)];
  } finally {
    for (const { store } of sides) await store.close();
  }
}

/** Each time anew: a store that was just closed is opened, and asked for its newest runs. */
async function measureStartUp(directories: Pair<string>, rounds: number): Promise<Measurements> {
  const times: Measurements = [[], []];
  for (let round = 0; round <= rounds; round += 1) {
    for (const at of [0, 1] as const) {
      const start = performance.now();
      const store = await openStore(directories[at]);
      await store.runs.list({ owner: OWNER, limit: 20 });
      // The first round warms up.
      if (round > 0) times[at].push(performance.now() - start);
      await store.close();
    }
  }
  return times;
}

/** Throws when the stores answer with different numbers of rows: the times would be of two different questions. */
async function measureQuestion(
  sides: Pair<Side>,
  { name, ask }: (typeof SCALE_QUESTIONS)[number],
  { scaleRounds, scaleCalls }: Sizes,
): Promise<Measurements> {
  const medians: Measurements = [[], []];
  let call = 0;
  for (let round = 0; round <= scaleRounds; round += 1) {
    const times: Measurements = [[], []];
    const found = [0, 0];
    for (let at = 0; at < (round === 0 ? WARM_UP_CALLS : scaleCalls); at += 1) {
      call += 1;
      for (const side of [0, 1] as const) {
        const start = performance.now();
        const rows = await ask(sides[side], (call * GOLDEN_RATIO) % 1);
        times[side].push(performance.now() - start);
        found[side] = (found[side] ?? 0) + rows;
      }
    }
    if (found[0] !== found[1])
      throw new Error(`${name}: ${found[0]} rows of the small store, ${found[1]} of the large`);
    if (round === 0) continue;
    for (const side of [0, 1] as const) medians[side].push(median(times[side]));
  }
  return medians;
}

async function measureRecording(sides: Pair<Side>, { scaleRounds, scaleCalls }: Sizes): Promise<Measurements> {
  const medians: Measurements = [[], []];
  for (let round = 0; round < scaleRounds; round += 1) {
    const times: Measurements = [[], []];
    for (let call = 0; call < scaleCalls; call += 1) {
      for (const at of [0, 1] as const) {
        const start = performance.now();
        await recordRun(sides[at].store);
        times[at].push(performance.now() - start);
      }
    }
    for (const at of [0, 1] as const) medians[at].push(median(times[at]));
  }
  return medians;
}

function growthRow(name: string, unit: string, [small, large]: Measurements): readonly string[] {
  return [name, spreadText(small, unit), spreadText(large, unit), ratioText(ratios(large, small))];
}

function growthTable([small, large]: Pair<FilledSide>, rows: Table['rows']): Table {
  const text = ({ filled: { runs, observations, findings } }: FilledSide): string =>
    `${runs} runs that saw ${observations} findings (${findings} different ones)`;
  return {
    title: `(g) growth of the store: ${text(large)} against ${text(small)}`,
    head: ['row', `${small.runs} runs`, `${large.runs} runs`, 'ratio'],
    rows,
  };
}

/** Durable events in a second, in turn: through both stores and in loops around SQLite alone. */
async function measureEvents(root: string, [small, large]: Pair<Side>, sizes: Sizes): Promise<Table> {
  const writers = [await createEventWriter(small.store), await createEventWriter(large.store)] as const;
  const bare = createBareLoop(root);
  const rates = { single: [], together: [], small: [], large: [] } as Record<string, number[]>;
  for (let round = 0; round <= sizes.scaleRounds; round += 1) {
    const measured = {
      single: bare.write(sizes.scaleEvents / 4, 1),
      small: await writers[0].write(sizes.scaleEvents),
      together: bare.write(sizes.scaleEvents, WIDTH),
      large: await writers[1].write(sizes.scaleEvents),
    };
    if (round > 0) for (const [name, rate] of Object.entries(measured)) rates[name]?.push(rate);
  }
  bare.close();
  const { single = [], together = [], small: few = [], large: many = [] } = rates;
  const row = (name: string, own: number[], against: number[]): readonly string[] => [
    name,
    spreadText(own, '/s'),
    spreadText(against, '/s'),
    ratioText(ratios(own, against)),
  ];
  return {
    title: `(h) durable events in a second, ${WIDTH} on their way at once, as a share of what SQLite alone reaches`,
    head: ['row', 'events', 'against', 'ratio'],
    rows: [
      row(`${small.runs} runs, against a synced transaction for each insert`, few, single),
      row(`${small.runs} runs, against a synced transaction for ${WIDTH} inserts`, few, together),
      row(`${large.runs} runs, against a synced transaction for each insert`, many, single),
      row(`${large.runs} runs, against ${small.runs} runs`, many, few),
    ],
  };
}
