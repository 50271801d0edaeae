import type { AuditRecord } from '../../../schemas/audit.ts';
import { SallyportError } from '../errors.ts';
import { type ChainEnd, EMPTY_CHAIN, endAt, follows, GENESIS, hashOf, readRecord, textOf } from './chain.ts';
import { isSignedBy, readCheckpoint } from './checkpoint.ts';
import { createPublicKey } from 'node:crypto';
import type { AuditFile, AuditSigner, AuditStore, RecordRange } from './types.ts';

/** Where the two copies stood, and what one got from the other. */
export interface Reconciled {
  readonly end: ChainEnd;
  /** Records after the last checkpoint of this key. */
  readonly unsigned: RecordRange | undefined;
  /** Records that only the file had. */
  readonly toTable: number;
  /** Records that only the table had. */
  readonly toFile: number;
  /** Bytes of a torn line that were cut off. */
  readonly cutBytes: number;
}

/** What `reconcile` works on. */
export interface ReconcileParts {
  readonly store: AuditStore;
  readonly file: AuditFile;
  readonly signer: AuditSigner;
  /** The last record that this process wrote. */
  readonly written?: ChainEnd;
}

/** Records that one copy gets from the other at once. */
const STEP = 256;

/**
 * Brings both copies to the same end: the longer one completes the shorter one, record by record, each proved to follow.
 * A record may be in only one of them because of a loss of power or a failed write. Nobody was told that it was written,
 * so that it could go as well as stay; it stays, because a record that went could be one that an attacker wants gone.
 * Throws ERR_AUDIT_UNAVAILABLE when the copies contradict each other or the last signed checkpoint: then somebody changed
 * them, nothing is written over the evidence, and nothing starts.
 */
export async function reconcile(parts: ReconcileParts): Promise<Reconciled> {
  const { store, file } = parts;
  const { last, cutBytes } = await file.open();
  const inFile = endOf(last === undefined ? undefined : (readRecord(last)?.record ?? 'unreadable'), 'file');
  const inTable = endOf(await store.last(), 'table');
  const toFile = inTable.seq > inFile.seq ? await completeFile(parts, inFile) : 0;
  const toTable = inFile.seq > inTable.seq ? await completeTable(parts, inTable) : 0;
  if (inFile.seq === inTable.seq && inFile.hash !== inTable.hash) throw contradiction(inFile.seq);
  const end = inFile.seq > inTable.seq ? inFile : inTable;
  const signedUntil = await requireCheckpoint(parts, end);
  await requireWritten(parts, end);
  const unsigned = end.seq > signedUntil ? { from: signedUntil + 1, until: end.seq } : undefined;
  return { end, unsigned, toTable, toFile, cutBytes };
}

function endOf(record: AuditRecord | 'unreadable' | undefined, copy: string): ChainEnd {
  if (record === undefined) return EMPTY_CHAIN;
  if (record === 'unreadable' || record.hash !== hashOf(record)) {
    throw broken(`the last record of its ${copy} is not as it was written`);
  }
  return endAt(record);
}

async function completeFile({ store, file }: ReconcileParts, from: ChainEnd): Promise<number> {
  let end = from;
  for (;;) {
    const records = await store.page({ after: end.seq, limit: STEP });
    if (records.length === 0) return end.seq - from.seq;
    end = proved(records, end);
    await file.append(records.map(textOf));
  }
}

async function completeTable({ store, file }: ReconcileParts, from: ChainEnd): Promise<number> {
  let end = from;
  let step: AuditRecord[] = [];
  const add = async (): Promise<void> => {
    end = proved(step, end);
    await store.append(step);
    step = [];
  };
  for await (const line of file.after(from.seq)) {
    const record = readRecord(line)?.record;
    if (record === undefined) throw broken(`line of record ${end.seq + step.length + 1} of its file is no record`);
    step.push(record);
    if (step.length >= STEP) await add();
  }
  if (step.length > 0) await add();
  return end.seq - from.seq;
}

function proved(records: readonly AuditRecord[], from: ChainEnd): ChainEnd {
  let end = from;
  for (const record of records) {
    if (!follows(record, end)) throw contradiction(end.seq + 1);
    end = endAt(record);
  }
  return end;
}

/**
 * The last checkpoint must be of this chain. Without this look a chain that was cut off, or written again, would be signed
 * at the next start, and then it would be the one that is proved. Answers with the last record that this key has signed.
 */
async function requireCheckpoint({ store, file, signer }: ReconcileParts, end: ChainEnd): Promise<number> {
  const inFile = await file.lastCheckpoint();
  const read = inFile === undefined ? undefined : readCheckpoint(inFile);
  if (inFile !== undefined && read === undefined) throw broken('its last checkpoint cannot be read');
  let signedUntil = 0;
  for (const checkpoint of [read, await store.lastCheckpoint()]) {
    if (checkpoint === undefined) continue;
    const { seq, hash, keyId } = checkpoint;
    // One of a key that was replaced proves nothing here; `audit verify` takes the old key.
    const isOurs = keyId === signer.keyId;
    if (isOurs && !isSignedBy(checkpoint, createPublicKey(signer.publicKey))) {
      throw broken(`the signature of its checkpoint at record ${seq} is wrong`);
    }
    if (seq > end.seq) throw broken(`it ends at record ${end.seq}, before its checkpoint at record ${seq}`);
    const [record] = seq === 0 ? [] : await store.page({ after: seq - 1, limit: 1 });
    if ((seq === 0 ? GENESIS : record?.hash) !== hash)
      throw broken(`it is not the one that was signed at record ${seq}`);
    if (isOurs) signedUntil = Math.max(signedUntil, seq);
  }
  return signedUntil;
}

/**
 * What this process wrote and has not signed yet must be there as it was written. Attack: somebody writes the unsigned end
 * of both copies anew, breaks one of them, and has the running gateway sign his own when it recovers.
 */
async function requireWritten({ store, written = EMPTY_CHAIN }: ReconcileParts, end: ChainEnd): Promise<void> {
  if (written.seq === 0) return;
  const [record] = written.seq > end.seq ? [] : await store.page({ after: written.seq - 1, limit: 1 });
  if (record?.hash !== written.hash) throw broken(`it is not the one that was written up to record ${written.seq}`);
}

function contradiction(seq: number): SallyportError {
  return broken(`its table and its file contradict each other at record ${seq}`);
}

function broken(what: string): SallyportError {
  return new SallyportError(
    'ERR_AUDIT_UNAVAILABLE',
    `The audit is damaged: ${what}. Run \`sallyport audit verify\`; docs/audit.md says how to go on.`,
    { details: { rule: 'audit' } },
  );
}
