import type { TargetLoad } from './types.ts';

/** A block of addresses with something that lies on it. */
export interface Span<T> {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly of: T;
}

/** A block in which every address carries the same. */
export interface Segment<T> {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  /** What lies on each of its addresses; changes when the next segment is asked for. */
  readonly on: ReadonlySet<Span<T>>;
}

/**
 * The blocks between the borders of spans, in order of address: what lies on any single address is known without going
 * through 2^64 of them. Blocks that carry nothing are left out.
 */
export function* segments<T>(spans: Iterable<Span<T>>): Generator<Segment<T>> {
  const borders = bordersOf(spans);
  const on = new Set<Span<T>>();
  for (let index = 0; index < borders.length; index += 1) {
    const { family, at, span, isEnd } = borders[index] as Border<T>;
    if (isEnd) on.delete(span);
    else on.add(span);
    const next = borders[index + 1];
    // While something lies on it there is a next border, of the same family: the end of that.
    if (on.size === 0 || next === undefined || next.at === at) continue;
    yield { family, first: at, last: next.at - 1n, on };
  }
}

interface Border<T> {
  readonly family: 4 | 6;
  readonly at: bigint;
  readonly span: Span<T>;
  readonly isEnd: boolean;
}

function bordersOf<T>(spans: Iterable<Span<T>>): readonly Border<T>[] {
  const borders: Border<T>[] = [];
  for (const span of spans) {
    const { family, first, last } = span;
    borders.push({ family, at: first, span, isEnd: false }, { family, at: last + 1n, span, isEnd: true });
  }
  return borders.sort((a, b) => a.family - b.family || (a.at < b.at ? -1 : Number(a.at > b.at)));
}

/**
 * The same loads in blocks that do not overlap. One run that names an address twice sends it both, and never faster than
 * the whole run.
 */
export function disjointLoads(loads: readonly TargetLoad[], packetsPerSecond: number): readonly TargetLoad[] {
  const spans = loads.map((load) => ({ family: load.family, first: load.first, last: load.last, of: load }));
  const blocks: TargetLoad[] = [];
  for (const { family, first, last, on } of segments(spans)) {
    let probes = 0;
    let rate = 0;
    for (const { of: load } of on) {
      probes += load.probes;
      rate += load.packetsPerSecond;
    }
    blocks.push({ family, first, last, probes, packetsPerSecond: Math.min(rate, packetsPerSecond) });
  }
  return blocks;
}

type Written = readonly [family: 4 | 6, first: string, last: string, probes?: number | null, rate?: number | null];

/** JSON of loads. */
export function writeLoads(loads: readonly TargetLoad[]): string {
  return JSON.stringify(
    // JSON has no infinity: it is written as null.
    loads.map(({ family, first, last, probes, packetsPerSecond }) => [
      family,
      `${first}`,
      `${last}`,
      probes,
      packetsPerSecond,
    ]),
  );
}

/** JSON of the addresses alone, the same for the same addresses: under it run time is folded. */
export function foldLoads(written: string): string {
  const blocks = (JSON.parse(written) as readonly Written[]).map(([family, first, last]) => [family, first, last]);
  return JSON.stringify(blocks);
}

/** Reads what `writeLoads` or `foldLoads` wrote. Throws on anything else. */
export function readLoads(written: string): readonly TargetLoad[] {
  return (JSON.parse(written) as readonly Written[]).map(([family, first, last, probes = 0, rate = 0]) => ({
    family,
    first: BigInt(first),
    last: BigInt(last),
    probes: probes ?? Number.POSITIVE_INFINITY,
    packetsPerSecond: rate ?? Number.POSITIVE_INFINITY,
  }));
}
