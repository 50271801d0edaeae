import { BARE_NAME } from './layer-ways.ts';
import type { Measured, Processes } from './processes.ts';
import type { Sizes } from './sizes.ts';
import { median, percentile, ratios, ratioText, type Table } from './statistics.ts';

const WARM_UP_STARTS = 3;
const WIDTHS = [1, 4, 16] as const;
/** Where every set of layers would take too long. */
const FEW = [BARE_NAME, 'chain L1', 'chain L1+L2', 'chain L1+L2+L3', 'run L1+L2', 'run L1+L2+L3'];

/** What each layer of confinement costs, in one process and in turn: time, stalls of the event loop, starts in a second. */
export async function measureLayers(processes: Processes, sizes: Sizes): Promise<readonly Table[]> {
  const measured = await processes.start('layers');
  const { names, absent } = await measured.ask('ways', {});
  for (const sentence of absent) console.log(`  not measured: ${sentence}`);
  const few = FEW.filter((name) => names.includes(name));
  await measured.ask('starts', { names, count: WARM_UP_STARTS, measure: 'wall' });
  const { layerStarts, ballastStarts, ballastMib } = sizes;
  const program = 'one start of a program that does nothing, against child_process.spawn of it';
  const light = await measureStarts(measured, { names, count: layerStarts, rounds: sizes.rounds });
  const rates = await measureRates(measured, few, sizes);
  await measured.ask('ballast', { mib: ballastMib });
  const heavy = await measureStarts(measured, { names: few, count: ballastStarts, rounds: sizes.rounds });
  await measured.stop();
  return [
    startTable(`(d) ${program}`, names, light),
    startTable(`(e) the same with ${ballastMib} MiB of Buffers alive in the process`, few, heavy),
    rateTable(few, rates),
  ];
}

interface Starts {
  readonly names: readonly string[];
  readonly count: number;
  readonly rounds: number;
}

/** By round, by way: milliseconds of each start. */
type Rounds = readonly (readonly (readonly number[])[])[];

interface StartTimes {
  readonly wall: Rounds;
  readonly block: Rounds;
}

/** Time and stalls apart: looking for a stall keeps a processor busy. */
async function measureStarts(measured: Measured, { names, count, rounds }: Starts): Promise<StartTimes> {
  const wall: number[][][] = [];
  const block: number[][][] = [];
  for (let round = 0; round < rounds; round += 1) {
    wall.push(await measured.ask('starts', { names, count, measure: 'wall' }));
    block.push(await measured.ask('starts', { names, count, measure: 'block' }));
  }
  return { wall, block };
}

function startTable(title: string, names: readonly string[], { wall, block }: StartTimes): Table {
  return {
    title,
    head: ['row', 'wall p50', 'p95', 'wall ÷ bare', 'block p50', 'p95', 'block ÷ bare'],
    rows: names.map((name, at) => [name, ...columns(wall, at), ...columns(block, at)]),
  };
}

/** The bare spawn is the first way. */
function columns(rounds: Rounds, at: number): readonly string[] {
  const all = rounds.flatMap((round) => round[at] ?? []);
  const medians = (way: number) => rounds.map((round) => median(round[way] ?? []));
  const ms = (share: number) => `${percentile(all, share).toFixed(2)} ms`;
  return [ms(0.5), ms(0.95), ratioText(ratios(medians(at), medians(0)))];
}

/** By way, by width: starts in a second of each round. */
async function measureRates(measured: Measured, names: readonly string[], sizes: Sizes): Promise<number[][][]> {
  const rates: number[][][] = names.map(() => WIDTHS.map(() => []));
  for (let round = 0; round < sizes.rateRounds; round += 1) {
    for (const [place, width] of WIDTHS.entries()) {
      for (const [at, name] of names.entries()) {
        rates[at]?.[place]?.push(await measured.ask('rate', { name, width, ms: sizes.rateMs }));
      }
    }
  }
  return rates;
}

function rateTable(names: readonly string[], rates: readonly (readonly (readonly number[])[])[]): Table {
  const bare = rates[0] ?? [];
  return {
    title: '(f) starts in a second, so many at once',
    head: ['row', ...WIDTHS.flatMap((width) => [`${width}`, '÷ bare'])],
    rows: names.map((name, at) => [
      name,
      ...WIDTHS.flatMap((_, place) => {
        const own = rates[at]?.[place] ?? [];
        return [`${median(own).toFixed(0)} /s`, ratioText(ratios(own, bare[place] ?? []))];
      }),
    ]),
  };
}
