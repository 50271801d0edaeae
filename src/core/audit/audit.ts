import type { AuditCheckpoint, AuditPage, AuditRecord } from '../../../schemas/audit.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { type ChainEnd, EMPTY_CHAIN, endAt, sealRecord, textOf } from './chain.ts';
import { canonicalText } from './canonical.ts';
import { signCheckpoint } from './checkpoint.ts';
import { readPage } from './page.ts';
import { reconcile } from './reconcile.ts';
import type {
  Anchors,
  AuditEvent,
  AuditFile,
  AuditQuery,
  AuditSigner,
  AuditStore,
  OpenedAudit,
  RecordRange,
} from './types.ts';
import { reasonOf, unavailable } from './unavailable.ts';

/** What the audit is made from. */
export interface AuditParts {
  readonly store: AuditStore;
  readonly file: AuditFile;
  readonly signer: AuditSigner;
  /** Records between two checkpoints. */
  readonly checkpointEvery: () => number;
  readonly anchors: Anchors;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  /** Longest time for which a record stays without a checkpoint; default 60 s. */
  readonly signMs?: number;
  /** Time after which a failed write is tried again; default 1 s. */
  readonly retryMs?: number;
}

/**
 * Opens the audit: both copies are brought to the same end, and that is signed. Never rejects: when it cannot be written,
 * `fault` says why, `requireWritable` throws, and it is tried again every second.
 */
export async function createAudit(parts: AuditParts): Promise<OpenedAudit> {
  const audit = new ChainedAudit(parts);
  await audit.start();
  return audit;
}

/** Records that become durable together. */
const MAX_BATCH = 256;
const RETRY_MS = 1000;
const SIGN_MS = 60_000;
/** Time that anchors get when the gateway stops. */
const LAST_ANCHOR_MS = 3000;

/** A note has nobody who waits for it. */
interface Waiting {
  readonly event: AuditEvent;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly answer?: PromiseWithResolvers<AuditRecord>;
  /** What the last try made of it: when that was written after all, it is not written twice. */
  tried?: AuditRecord;
}

class ChainedAudit implements OpenedAudit {
  private readonly parts: AuditParts;
  private end: ChainEnd = EMPTY_CHAIN;
  private waiting: Waiting[] = [];
  private work: Promise<void> | undefined;
  private why: string | undefined = 'it was not opened yet';
  private logged: string | undefined;
  private checkpoint: AuditCheckpoint | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Runs from the first record without a checkpoint on. */
  private signing: NodeJS.Timeout | undefined;
  private isSigningDue = false;
  private found: { readonly unsigned: RecordRange | undefined } | undefined;
  private closing: Promise<void> | undefined;

  constructor(parts: AuditParts) {
    this.parts = parts;
  }

  async start(): Promise<void> {
    this.work = this.recover();
    await this.work;
    this.work = undefined;
    this.pump();
  }

  async append(event: AuditEvent): Promise<AuditRecord> {
    this.requireWritable();
    const answer = Promise.withResolvers<AuditRecord>();
    this.waiting.push({ event, at: this.parts.clock.now(), answer });
    this.pump();
    return answer.promise;
  }

  note(event: AuditEvent): void {
    this.waiting.push({ event, at: this.parts.clock.now() });
    this.pump();
  }

  requireWritable(): void {
    if (this.why === undefined && this.closing === undefined) return;
    throw unavailable(this.why ?? 'the gateway stops');
  }

  fault(): string | undefined {
    return this.why;
  }

  page(query: AuditQuery): Promise<AuditPage> {
    return readPage(this.parts.store, query, this.end.seq);
  }

  lastSeq(): number {
    return this.end.seq;
  }

  identity(): { readonly publicKey: string; readonly keyId: string; readonly checkpoint: AuditCheckpoint | undefined } {
    const { publicKey, keyId } = this.parts.signer;
    return { publicKey, keyId, checkpoint: this.checkpoint };
  }

  unsignedAtStart(): RecordRange | undefined {
    return this.found?.unsigned;
  }

  close(): Promise<void> {
    this.closing ??= this.finish();
    return this.closing;
  }

  private async finish(): Promise<void> {
    clearTimeout(this.retry);
    await this.work;
    if (this.why !== undefined) await this.recover();
    this.pump();
    await this.work;
    if (this.why === undefined && this.checkpoint?.seq !== this.end.seq)
      await this.writeCheckpoint().catch(() => undefined);
    clearTimeout(this.retry);
    clearTimeout(this.signing);
    if (this.waiting.length > 0) this.parts.log.error('audit.failed', { why: this.why, lost: this.waiting.length });
    await this.parts.anchors.close(LAST_ANCHOR_MS);
    await this.parts.file.close();
  }

  /** One writer at a time: the chain has one end. */
  private pump(): void {
    if (this.work !== undefined || this.why !== undefined || (this.waiting.length === 0 && !this.isSigningDue)) return;
    this.work = this.writeWaiting().finally(() => {
      this.work = undefined;
      // What came after the last look must not lie until something else comes.
      this.pump();
    });
  }

  private async writeWaiting(): Promise<void> {
    while (this.why === undefined && (this.isSigningDue || this.waiting.length > 0)) {
      if (this.isSigningDue) {
        await this.writeCheckpoint().catch(() => undefined);
        continue;
      }
      // What was called in the same turn goes into one batch.
      await Promise.resolve();
      const room = Math.max(1, this.untilCheckpoint());
      await this.writeBatch(this.waiting.splice(0, Math.min(MAX_BATCH, room)));
    }
  }

  /** A batch ends where a checkpoint is due: never are more records without one than the operator said. */
  private untilCheckpoint(): number {
    return this.parts.checkpointEvery() - (this.end.seq - (this.checkpoint?.seq ?? 0));
  }

  private async writeBatch(batch: readonly Waiting[]): Promise<void> {
    let end = this.end;
    const records = batch.map((waiting) => {
      const record = sealRecord(waiting.event, end, waiting.at);
      end = endAt(record);
      waiting.tried = record;
      return record;
    });
    const { file, store, recorder } = this.parts;
    // At once, not in turn: either may be ahead after a crash, and the time of one sync is saved.
    const copies = await Promise.allSettled([file.append(records.map(textOf)), store.append(records)]);
    const failed = copies.find((copy) => copy.status === 'rejected');
    if (failed !== undefined) return this.giveUp(batch, failed.reason);
    this.end = end;
    for (const [index, record] of records.entries()) {
      recorder.count('sallyport_audit_records_total', { type: record.type });
      batch[index]?.answer?.resolve(record);
    }
    if (this.untilCheckpoint() <= 0) await this.writeCheckpoint().catch(() => undefined);
    else this.signLater();
  }

  /** Attack: on a quiet gateway, what is not signed yet could be written again in both copies for days. */
  private signLater(): void {
    this.signing ??= setTimeout(() => {
      this.isSigningDue = true;
      this.pump();
    }, this.parts.signMs ?? SIGN_MS).unref();
  }

  /** Who waits is told; what has happened already is kept and written when it can be. */
  private giveUp(batch: readonly Waiting[], thrown: unknown): void {
    const why = this.fail(thrown);
    const all = [...batch, ...this.waiting];
    this.waiting = all.filter(({ answer }) => answer === undefined);
    for (const { answer } of all) answer?.reject(unavailable(why, thrown));
  }

  /** A checkpoint that cannot be written is a fault like any other: without it what was written proves less. */
  private async writeCheckpoint(): Promise<void> {
    const { signer, clock, store, file, anchors, log } = this.parts;
    const { seq, hash, at } = this.end;
    try {
      const time = new Date(Math.max(clock.now(), at)).toISOString();
      const checkpoint = signCheckpoint(signer, { seq, hash, at: time });
      await store.addCheckpoint(checkpoint);
      await file.addCheckpoint(canonicalText(checkpoint));
      this.checkpoint = checkpoint;
      clearTimeout(this.signing);
      this.signing = undefined;
      this.isSigningDue = false;
      anchors.send(checkpoint);
      log.info('audit.checkpointed', { seq, hash });
    } catch (thrown) {
      this.fail(thrown);
      throw thrown;
    }
  }

  private fail(thrown: unknown): string {
    const { log, recorder, retryMs = RETRY_MS } = this.parts;
    const why = reasonOf(thrown);
    this.why = why;
    recorder.gauge('sallyport_audit_writable', {}, 0);
    // Once for each reason, not every second.
    if (this.logged !== why) log.error('audit.failed', { why, err: thrown });
    this.logged = why;
    clearTimeout(this.retry);
    if (this.closing === undefined) this.retry = setTimeout(() => this.tryAgain(), retryMs).unref();
    return why;
  }

  private tryAgain(): void {
    this.work ??= this.recover().finally(() => {
      this.work = undefined;
      this.pump();
    });
  }

  /** The checkpoint at its end is also the proof that both can be written. */
  private async recover(): Promise<void> {
    const { recorder, log } = this.parts;
    try {
      const { end, unsigned, toTable, toFile, cutBytes } = await reconcile({ ...this.parts, written: this.end });
      this.found ??= { unsigned };
      await this.dropWritten(end);
      this.end = end;
      await this.writeCheckpoint();
      this.why = undefined;
      recorder.gauge('sallyport_audit_writable', {}, 1);
      const hasMended = toTable + toFile + cutBytes > 0 || unsigned !== undefined;
      if (hasMended || this.logged !== undefined)
        log.warn('audit.recovered', { seq: end.seq, unsigned, toTable, toFile, cutBytes });
      this.logged = undefined;
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** A write that was told as failed may have arrived. */
  private async dropWritten(end: ChainEnd): Promise<void> {
    const tried = this.waiting.flatMap((waiting) => waiting.tried ?? []);
    const first = tried[0];
    if (first === undefined || end.seq < first.seq) return;
    const last = tried.at(-1)?.seq ?? first.seq;
    const written = await this.parts.store.page({ after: first.seq - 1, limit: last - first.seq + 1 });
    const hashes = new Set(written.map(({ hash }) => hash));
    this.waiting = this.waiting.filter((waiting) => !hashes.has(waiting.tried?.hash ?? ''));
  }
}
