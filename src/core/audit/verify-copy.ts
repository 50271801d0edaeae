import { GENESIS, type ReadRecord, readRecord } from './chain.ts';
import { Faults } from './verify-faults.ts';

/** One text of a copy. */
export interface CopyItem {
  readonly text: string;
  /** What the table says beside the text. */
  readonly columns?: { readonly seq: number; readonly type: string; readonly runId: string | null };
}

/** A record in its place. */
export interface Settled {
  readonly seq: number;
  /** The hash of what it says, and the one that it states; undefined when it cannot be read. */
  readonly hashes: readonly string[];
}

/** An item with what it claims of itself. */
interface Read {
  readonly seq: number | undefined;
  readonly prev: string | undefined;
  readonly hashes: readonly string[];
  /** Why it is not as it was written; undefined when its hash is right. */
  readonly wrong: string | undefined;
  readonly isReadable: boolean;
}

/** Reads the text of a record, or says that it is none. */
export type TextReader = (text: string) => ReadRecord | undefined;

/** How a copy is walked. */
export interface WalkOptions {
  readonly readText: TextReader;
  /** Number of the last record that is looked at; later ones are being written. */
  readonly until: number;
}

/** Texts that are remembered: the two copies are never far apart. */
const MAX_REMEMBERED = 8192;

/** A reader that reads what stands in both copies once: that is nearly everything. */
export function createTextReader(): TextReader {
  const known = new Map<string, ReadRecord | undefined>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const fresh = readRecord(text);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(text, fresh);
    return fresh;
  };
}

/** Numbers that are kept to tell what was moved from what was removed. */
const MAX_STRAYS = 10_000;

/**
 * Walks one copy of the chain from its beginning and gives each record in its place. What is out of place is told by the
 * record after it, so that one removed, inserted or moved record does not make all that follow look wrong.
 */
export class CopyWalk {
  readonly faults: Faults;
  records = 0;
  /** Number of the last record in its place. */
  last = 0;
  private expected = 1;
  /** Hashes that the next record may name as the one before; undefined: it is not known. */
  private before: readonly string[] | undefined = [GENESIS];
  private readonly missing: { from: number; to: number }[] = [];
  private readonly strays: number[] = [];
  /** A record whose link to the one before is broken: the next one says which of both was changed. */
  private suspect: number | undefined;
  private readonly items: AsyncIterable<readonly CopyItem[]>;
  private readonly options: WalkOptions;
  private isOver = false;

  constructor(place: string, items: AsyncIterable<readonly CopyItem[]>, options: WalkOptions) {
    this.faults = new Faults(place);
    this.items = items;
    this.options = options;
  }

  async *settled(): AsyncGenerator<readonly Settled[]> {
    let held: Read | undefined;
    for await (const items of this.items) {
      const settled: Settled[] = [];
      for (const item of items) {
        const next = read(item, this.options.readText);
        if (held !== undefined) this.place(held, next, settled);
        held = next;
      }
      yield settled;
      if (this.isOver) return;
    }
    const settled: Settled[] = [];
    if (held !== undefined) this.place(held, undefined, settled);
    yield settled;
  }

  /** Call when everything was walked: `end` is the number of the last record that there must be. */
  finish(end: number): void {
    this.tellSuspect(false, true);
    if (this.last < end) this.missing.push({ from: this.last + 1, to: end });
    for (const stray of this.strays) this.tellStray(stray);
    for (const { from, to } of this.missing.flatMap((range) => without(range, this.strays))) {
      if (from > this.last) {
        const what = this.last === 0 ? 'it is empty' : `it ends at record ${this.last}`;
        this.faults.add('truncated', { seq: from, until: to }, `${what}; there were records up to ${to}`);
      } else this.faults.add('removed', { seq: from, until: to }, `${nameOf(from, to)} missing`);
    }
  }

  private place(item: Read, next: Read | undefined, settled: Settled[]): void {
    const { until } = this.options;
    const place = this.expected > until ? until + 1 : placeOf(item, next, this.expected);
    // What is being written, perhaps half a line, is no fault.
    this.isOver ||= typeof place === 'number' && place > until;
    if (this.isOver) return;
    this.records += 1;
    if (place === 'stray') return this.noteStray(item);
    if (place === 'instead') {
      this.noteStray(item);
      this.missing.push({ from: this.expected, to: this.expected });
      this.before = undefined;
      this.expected += 1;
      return;
    }
    if (place > this.expected) {
      this.missing.push({ from: this.expected, to: place - 1 });
      this.before = undefined;
    }
    this.check(item, place);
    this.last = place;
    this.expected = place + 1;
    this.before = item.hashes.length === 0 ? undefined : item.hashes;
    settled.push({ seq: place, hashes: item.hashes });
  }

  private check({ wrong, isReadable, prev }: Read, seq: number): void {
    const isLinked = prev === undefined || this.before === undefined || this.before.includes(prev);
    if (wrong !== undefined) {
      this.tellSuspect(false);
      this.faults.add(isReadable ? 'changed' : 'unreadable', { seq }, wrong);
      return;
    }
    const wasSuspect = this.suspect !== undefined;
    this.tellSuspect(!isLinked);
    if (!isLinked && !wasSuspect) this.suspect = seq;
  }

  /** The record before it was changed and its hash made anew; or it was itself, when the next link is broken too. */
  private tellSuspect(isNextBroken: boolean, isLast = false): void {
    const seq = this.suspect;
    this.suspect = undefined;
    if (seq === undefined) return;
    const changed = isNextBroken ? { seq } : { seq: seq - 1, ...(isLast && { until: seq }) };
    this.faults.add('changed', changed, `record ${seq} does not name the hash of the record before it`);
  }

  private noteStray(item: Read): void {
    if (item.seq === undefined || !item.isReadable) {
      this.faults.add(
        'inserted',
        { seq: this.expected },
        `a text that is no record stands before record ${this.expected}`,
      );
      return;
    }
    if (this.strays.length < MAX_STRAYS) this.strays.push(item.seq);
    else this.faults.dropped += 1;
    // The record after it may be linked to either.
    if (this.before !== undefined) this.before = [...this.before, ...item.hashes].slice(0, 8);
  }

  private tellStray(seq: number): void {
    const wasMissed = this.missing.some(({ from, to }) => from <= seq && seq <= to);
    if (wasMissed) this.faults.add('reordered', { seq }, `record ${seq} stands in another place`);
    else this.faults.add('inserted', { seq }, `a second record ${seq} was put in`);
  }
}

/** Its place, or that it stands in none: as an extra (`stray`), or `instead` of the expected one. */
function placeOf(item: Read, next: Read | undefined, expected: number): number | 'stray' | 'instead' {
  const { seq, wrong } = item;
  if (seq === expected) return expected;
  if (next?.seq === expected) return 'stray';
  // What was changed may have been changed in its number.
  if (next?.seq === expected + 1) return wrong === undefined ? 'instead' : expected;
  if (seq === undefined) return expected;
  if (wrong !== undefined && next?.seq !== seq + 1) return expected;
  return seq > expected ? seq : 'stray';
}

function read({ text, columns }: CopyItem, readText: TextReader): Read {
  const found = readText(text);
  if (found === undefined) {
    const wrong = 'it cannot be read as a record';
    return { seq: looseSeq(text), prev: undefined, hashes: [], wrong, isReadable: false };
  }
  const { own } = found;
  const { seq, prev, hash, type, runId } = found.record;
  const read = { seq, prev, hashes: own === hash ? [own] : [own, hash], isReadable: true };
  if (own !== hash) return { ...read, wrong: 'its hash is not that of what it says' };
  const isIndexed = columns === undefined || (columns.seq === seq && columns.type === type && columns.runId === runId);
  return { ...read, wrong: isIndexed ? undefined : 'the columns of its row say something else than it does' };
}

function looseSeq(text: string): number | undefined {
  try {
    const value = JSON.parse(text) as { readonly seq?: unknown } | null;
    const seq = value?.seq;
    return typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 1 ? seq : undefined;
  } catch {
    return undefined;
  }
}

/** What is left of a range without some numbers. */
function without(
  { from, to }: { from: number; to: number },
  numbers: readonly number[],
): { from: number; to: number }[] {
  const inside = [...new Set(numbers)].filter((seq) => from <= seq && seq <= to).toSorted((a, b) => a - b);
  const starts = [from, ...inside.map((seq) => seq + 1)];
  const ends = [...inside.map((seq) => seq - 1), to];
  return starts.flatMap((start, index) => (start <= (ends[index] ?? 0) ? [{ from: start, to: ends[index] ?? 0 }] : []));
}

function nameOf(from: number, to: number): string {
  return from === to ? `record ${from} is` : `records ${from} to ${to} are`;
}
