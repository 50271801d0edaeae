import type { KeyObject } from 'node:crypto';
import type { AuditCheckpoint } from '../../../schemas/audit.ts';
import { GENESIS } from './chain.ts';
import { isSignedBy, keyIdOf, readCheckpoint } from './checkpoint.ts';
import { Faults } from './verify-faults.ts';
import type { CheckpointSource } from './verify-types.ts';

/** Walks the checkpoints of one place beside the records. */
export class CheckpointWalk {
  readonly faults: Faults;
  /** Those that are good. */
  good = 0;
  /** The last record that a good one covers. */
  signedUntil = 0;
  /** The highest number that a good signature stands for. */
  highest = 0;
  private readonly lines: AsyncIterator<string>;
  private readonly keys: ReadonlyMap<string, KeyObject>;
  private next: AuditCheckpoint | undefined;
  private isRewritten = false;

  constructor({ name, lines }: CheckpointSource, publicKeys: readonly KeyObject[]) {
    this.faults = new Faults(name);
    this.lines = lines[Symbol.asyncIterator]();
    this.keys = new Map(publicKeys.map((key) => [keyIdOf(key), key]));
  }

  /** Reads the first one; what is said of an empty chain is looked at at once. */
  async start(): Promise<void> {
    await this.advance();
    await this.upTo(0, [GENESIS]);
  }

  /** Whether something is said of this record, or of one before it. */
  isAt(seq: number): boolean {
    return this.next !== undefined && this.next.seq <= seq;
  }

  /** Looks at what is said of this record; `hashes` are those of the copies that have it. */
  async upTo(seq: number, hashes: readonly string[]): Promise<void> {
    while (this.next !== undefined && this.next.seq <= seq) {
      // Of a record that no copy has any more nothing can be said here: it is told as missing.
      if (this.next.seq === seq) this.compare(this.next, hashes);
      await this.advance();
    }
  }

  /** Reads what is left: what is signed behind the last record. */
  async finish(): Promise<void> {
    while (this.next !== undefined) await this.advance();
  }

  private compare({ seq, hash }: AuditCheckpoint, hashes: readonly string[]): void {
    if (hashes.includes(hash)) {
      this.good += 1;
      this.signedUntil = seq;
      this.isRewritten = false;
      return;
    }
    // All later ones are wrong as well then.
    if (!this.isRewritten) {
      const message = `what was signed at record ${seq} is not in any copy: a record after ${this.signedUntil} was changed and the hashes were made anew`;
      this.faults.add('rewritten', { seq: Math.min(this.signedUntil + 1, seq), until: seq }, message);
    }
    this.isRewritten = true;
  }

  /** To the next one with a good signature. */
  private async advance(): Promise<void> {
    const before = this.next?.seq ?? 0;
    this.next = undefined;
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done === true) return;
      const checkpoint = readCheckpoint(value);
      if (checkpoint === undefined) {
        this.faults.add('unreadable', { seq: before }, `a checkpoint after that at record ${before} cannot be read`);
        continue;
      }
      if (!this.isGood(checkpoint)) continue;
      this.highest = Math.max(this.highest, checkpoint.seq);
      if (checkpoint.seq < before) {
        const message = `record ${checkpoint.seq} was signed after record ${before}: the chain was set back`;
        this.faults.add('reordered', { seq: checkpoint.seq }, message);
        continue;
      }
      this.next = checkpoint;
      return;
    }
  }

  private isGood(checkpoint: AuditCheckpoint): boolean {
    const { seq, keyId } = checkpoint;
    const key = this.keys.get(keyId);
    if (key !== undefined && isSignedBy(checkpoint, key)) return true;
    const why = key === undefined ? `is of the key ${keyId.slice(0, 16)}, which was not given` : 'is wrong';
    this.faults.add('forged', { seq }, `the signature of the checkpoint at record ${seq} ${why}`);
    return false;
  }
}
