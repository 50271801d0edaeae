import type { KeyObject } from 'node:crypto';
import type { AuditRow, RecordRange } from './types.ts';
import type { TextReader } from './verify-copy.ts';

/** What can be wrong with a record, or with a checkpoint at it. */
export const FAULT_KINDS = [
  'changed',
  'removed',
  'inserted',
  'reordered',
  'truncated',
  'unreadable',
  'differs',
  'rewritten',
  'forged',
] as const;
export type AuditFaultKind = (typeof FAULT_KINDS)[number];

/** One thing that is wrong. */
export interface AuditFault {
  /** `table` or `file`, `copies` for both against each other, or the name of a source of checkpoints. */
  readonly place: string;
  readonly kind: AuditFaultKind;
  /** Number of the record, or of the first of several. */
  readonly seq: number;
  /** Number of the last of several. */
  readonly until?: number;
  readonly message: string;
}

/** What a verification found. */
export interface AuditReport {
  readonly ok: boolean;
  /** Records of each copy. */
  readonly records: { readonly table: number; readonly file: number };
  /** Checkpoints whose signature is good and that are of this chain. */
  readonly checkpoints: number;
  /** Number of the last record that such a checkpoint covers. */
  readonly signedUntil: number;
  /** Records that none covers: whoever can write both copies could have changed them unseen. */
  readonly unsigned?: RecordRange;
  readonly last: { readonly seq: number; readonly hash: string };
  /** Lowest record first, at most 20. */
  readonly faults: readonly AuditFault[];
  /** How many there are besides these. */
  readonly moreFaults: number;
}

/** Checkpoints of one place, in the order in which they were written. */
export interface CheckpointSource {
  readonly name: string;
  readonly lines: AsyncIterable<string>;
}

/** What is verified. Everything is read once, from its beginning on, in constant memory. */
export interface VerifyInput {
  /** In lists of any length, for speed. */
  readonly records: AsyncIterable<readonly AuditRow[]>;
  readonly file: AsyncIterable<readonly string[]>;
  readonly checkpoints: readonly CheckpointSource[];
  /** Public keys (Ed25519) that signed them; several after a key was replaced. */
  readonly publicKeys: readonly KeyObject[];
  /** Number of the last record that both copies must have; later ones are left out. While a gateway writes. */
  readonly until?: number;
  /** Reads texts of records; by default one that reads what stands in both copies once. */
  readonly readText?: TextReader;
}
