import { GENESIS } from './chain.ts';
import type { AuditRow } from './types.ts';
import { CheckpointWalk } from './verify-checkpoints.ts';
import { type CopyItem, CopyWalk, createTextReader, type Settled } from './verify-copy.ts';
import { Faults } from './verify-faults.ts';
import type { AuditFault, AuditReport, VerifyInput } from './verify-types.ts';

/** Faults of a report. */
const MAX_FAULTS = 20;

/**
 * Walks both copies and all checkpoints side by side, once, and says what is wrong with which record. A changed, removed,
 * inserted or moved record is found by the chain of hashes, by the other copy, and by the signed checkpoints.
 */
export async function verifyAudit(input: VerifyInput): Promise<AuditReport> {
  const { until = Number.POSITIVE_INFINITY, readText = createTextReader() } = input;
  const table = new CopyWalk('table', rowsAsItems(input.records), { readText, until });
  const file = new CopyWalk('file', linesAsItems(input.file), { readText, until });
  const signed = input.checkpoints.map((source) => new CheckpointWalk(source, input.publicKeys));
  const copies = new Faults('copies');
  for (const walk of signed) await walk.start();
  let last = { seq: 0, hash: GENESIS };
  let isApart = false;
  for await (const pairs of together(table.settled(), file.settled())) {
    for (const [seq, inTable, inFile] of pairs) {
      const hashes = [...(inTable?.hashes ?? []), ...(inFile?.hashes ?? [])];
      last = { seq, hash: hashes[0] ?? last.hash };
      for (const walk of signed) if (walk.isAt(seq)) await walk.upTo(seq, hashes);
      if (inTable === undefined || inFile === undefined) continue;
      const differ = !inTable.hashes.some((hash) => inFile.hashes.includes(hash));
      // Where one was written again from a record on, all later ones differ as well: the first is the one to name.
      if (differ && !isApart) copies.add('differs', { seq }, 'the table and the file say different things');
      isApart = differ;
    }
  }
  for (const walk of signed) await walk.finish();
  const end = Math.max(last.seq, ...signed.map(({ highest }) => highest), Number.isFinite(until) ? until : 0);
  table.finish(end);
  file.finish(end);
  return reportOf({ table, file, signed, copies }, last);
}

interface Walks {
  readonly table: CopyWalk;
  readonly file: CopyWalk;
  readonly signed: readonly CheckpointWalk[];
  readonly copies: Faults;
}

function reportOf({ table, file, signed, copies }: Walks, last: AuditReport['last']): AuditReport {
  const own = [table.faults, file.faults];
  // That the copies differ, or are not what was signed, follows from what is wrong with one of them: that is more exact.
  const follows = ({ kind, seq, until = seq }: AuditFault): boolean =>
    (kind === 'differs' || kind === 'rewritten') && own.some((faults) => faults.isWithin(seq, until));
  const others = [copies, ...signed.map((walk) => walk.faults)].flatMap(({ kept }) => kept);
  const all = [...own.flatMap(({ kept }) => kept), ...others.filter((fault) => !follows(fault))];
  const sorted = all.toSorted((a, b) => a.seq - b.seq);
  const dropped = [...own, copies, ...signed.map(({ faults }) => faults)].reduce(
    (sum, faults) => sum + faults.dropped,
    0,
  );
  const signedUntil = Math.max(0, ...signed.map((walk) => walk.signedUntil));
  return {
    ok: all.length === 0 && dropped === 0,
    records: { table: table.records, file: file.records },
    checkpoints: signed.reduce((sum, { good }) => sum + good, 0),
    signedUntil,
    ...(last.seq > signedUntil && { unsigned: { from: signedUntil + 1, until: last.seq } }),
    last,
    faults: sorted.slice(0, MAX_FAULTS),
    moreFaults: Math.max(0, sorted.length - MAX_FAULTS) + dropped,
  };
}

type Pair = readonly [seq: number, inTable: Settled | undefined, inFile: Settled | undefined];
type Steps = AsyncGenerator<readonly Settled[]>;

/** Both copies by number. */
async function* together(table: Steps, file: Steps): AsyncGenerator<readonly Pair[]> {
  const inTable = new Head(table);
  const inFile = new Head(file);
  while ((await inTable.fill()) || (await inFile.fill())) {
    await inFile.fill();
    const pairs: Pair[] = [];
    // As long as both lie here, nothing has to be waited for.
    while (pairs.length === 0 || (inTable.isFull() && inFile.isFull())) {
      const seq = Math.min(inTable.seq(), inFile.seq());
      pairs.push([seq, inTable.take(seq), inFile.take(seq)]);
    }
    yield pairs;
  }
}

/** The part of a copy that was read and not looked at yet. */
class Head {
  private list: readonly Settled[] = [];
  private at = 0;
  private isOver = false;
  private readonly steps: Steps;

  constructor(steps: Steps) {
    this.steps = steps;
  }

  /** False when there is nothing more. */
  async fill(): Promise<boolean> {
    while (this.list[this.at] === undefined && !this.isOver) {
      const { value, done } = await this.steps.next();
      this.list = done === true ? [] : value;
      this.at = 0;
      this.isOver = done === true;
    }
    return this.isFull();
  }

  isFull(): boolean {
    return this.seq() < Number.POSITIVE_INFINITY;
  }

  /** Of the first one; infinite when there is none. */
  seq(): number {
    return this.list[this.at]?.seq ?? Number.POSITIVE_INFINITY;
  }

  take(seq: number): Settled | undefined {
    const first = this.list[this.at];
    if (first?.seq !== seq) return undefined;
    this.at += 1;
    return first;
  }
}

async function* rowsAsItems(rows: AsyncIterable<readonly AuditRow[]>): AsyncGenerator<readonly CopyItem[]> {
  for await (const page of rows) yield page.map(({ text, ...columns }) => ({ text, columns }));
}

async function* linesAsItems(lines: AsyncIterable<readonly string[]>): AsyncGenerator<readonly CopyItem[]> {
  for await (const page of lines) yield page.map((text) => ({ text }));
}
