import { type Entry, freeAt, type Stay } from './entry.ts';

/** What limits count. */
export type Counted = 'packetsPerSecond' | 'concurrentRuns' | 'probesPerHour' | 'runMinutes';

const STAYS: Readonly<Record<Counted, Stay>> = {
  packetsPerSecond: 'running',
  concurrentRuns: 'running',
  probesPerHour: 'window',
  runMinutes: 'forever',
};

/** Amounts by what is counted; run time in milliseconds. */
export type Sums = Readonly<Record<Counted, number>>;

/** Nothing of anything. */
export const NONE: Sums = { packetsPerSecond: 0, concurrentRuns: 0, probesPerHour: 0, runMinutes: 0 };

/** Both together. */
export function addSums(a: Sums, b: Sums): Sums {
  return {
    packetsPerSecond: a.packetsPerSecond + b.packetsPerSecond,
    concurrentRuns: a.concurrentRuns + b.concurrentRuns,
    probesPerHour: a.probesPerHour + b.probesPerHour,
    runMinutes: a.runMinutes + b.runMinutes,
  };
}

/** Of each the greater. */
export function greatest(a: Sums, b: Sums): Sums {
  return {
    packetsPerSecond: Math.max(a.packetsPerSecond, b.packetsPerSecond),
    concurrentRuns: Math.max(a.concurrentRuns, b.concurrentRuns),
    probesPerHour: Math.max(a.probesPerHour, b.probesPerHour),
    runMinutes: Math.max(a.runMinutes, b.runMinutes),
  };
}

/** What one entry takes at one place. */
export interface Part {
  readonly packetsPerSecond: number;
  readonly probes: number;
}

/** Something that was taken, and when it is free again at the latest; Infinity: never. */
export interface Take {
  readonly amount: number;
  readonly freeAt: number;
}

/** Everything that is taken at one place: an engagement, or one block of addresses. */
export interface Pile {
  /** Of the entries that run or have ended within the window; undefined when there are none: most addresses rest. */
  parts: Map<Entry, Part> | undefined;
  /** Run time of those that have left it. */
  earlierMs: number;
  /** Kept up to date while that is exact; undefined when it has to be summed anew. */
  sums: Sums | undefined;
}

/** Makes an empty pile. */
export function createPile(): Pile {
  return { parts: undefined, earlierMs: 0, sums: undefined };
}

/** Adds the part of an entry. */
export function lay(pile: Pile, entry: Entry, part: Part): void {
  pile.parts ??= new Map();
  pile.parts.set(entry, part);
  if (pile.sums !== undefined) pile.sums = addSums(pile.sums, takenBy(entry, part));
}

/** Takes the part of an entry away, where there is one. */
export function lift(pile: Pile, entry: Entry): void {
  const part = pile.parts?.get(entry);
  if (part === undefined) return;
  pile.parts?.delete(entry);
  if (pile.parts?.size === 0) pile.parts = undefined;
  const taken = takenBy(entry, part);
  // A difference of infinities or of fractions would drift.
  pile.sums = pile.sums && isExact(pile.sums) && isExact(taken) ? without(pile.sums, taken) : undefined;
}

/** Adds run time that stays for ever. */
export function layEarlier(pile: Pile, runMs: number): void {
  pile.earlierMs += runMs;
  if (pile.sums !== undefined) pile.sums = { ...pile.sums, runMinutes: pile.sums.runMinutes + runMs };
}

/** What is taken of a pile. */
export function sumsOf(pile: Pile): Sums {
  if (pile.sums !== undefined) return pile.sums;
  let sums: Sums = { ...NONE, runMinutes: pile.earlierMs };
  for (const [entry, part] of pile.parts ?? []) sums = addSums(sums, takenBy(entry, part));
  pile.sums = sums;
  return sums;
}

/** Each thing that is taken of a pile. */
export function takesOf(pile: Pile, counted: Counted): readonly Take[] {
  const takes: Take[] = [];
  for (const [entry, part] of pile.parts ?? []) {
    const amount = takenBy(entry, part)[counted];
    if (amount > 0) takes.push({ amount, freeAt: freeAt(entry, STAYS[counted]) });
  }
  if (counted === 'runMinutes' && pile.earlierMs > 0) takes.push({ amount: pile.earlierMs, freeAt: Infinity });
  return takes;
}

function takenBy({ endedAt, amounts }: Entry, { packetsPerSecond, probes }: Part): Sums {
  const runs = endedAt === undefined;
  return {
    packetsPerSecond: runs ? packetsPerSecond : 0,
    concurrentRuns: runs ? 1 : 0,
    probesPerHour: probes,
    runMinutes: amounts.runMs,
  };
}

function without(all: Sums, part: Sums): Sums {
  return {
    packetsPerSecond: all.packetsPerSecond - part.packetsPerSecond,
    concurrentRuns: all.concurrentRuns - part.concurrentRuns,
    probesPerHour: all.probesPerHour - part.probesPerHour,
    runMinutes: all.runMinutes - part.runMinutes,
  };
}

/** Whether sums of it stay exact; how many run is whole anyway. */
function isExact({ packetsPerSecond, probesPerHour, runMinutes }: Sums): boolean {
  return (
    Number.isSafeInteger(packetsPerSecond) && Number.isSafeInteger(probesPerHour) && Number.isSafeInteger(runMinutes)
  );
}
