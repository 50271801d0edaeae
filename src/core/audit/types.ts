import type { AuditCheckpoint, AuditPage, AuditRecord, AuditType } from '../../../schemas/audit.ts';

/** What is written down; the chain adds number, time and hashes. `data` is masked before it comes here. */
export interface AuditEvent {
  readonly type: AuditType;
  readonly principal?: string | undefined;
  readonly engagement?: string | undefined;
  readonly runId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly digest?: string | undefined;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The record of every decision and change of state: append-only, chained, signed. */
export interface Audit {
  /** Resolves once the record is durable in the table and in the file. Rejects with ERR_AUDIT_UNAVAILABLE. */
  append(event: AuditEvent): Promise<AuditRecord>;
  /** For what has happened already: never rejects and never loses it while the process lives. In order with `append`. */
  note(event: AuditEvent): void;
  /** Throws ERR_AUDIT_UNAVAILABLE while records cannot be written: nothing may start. */
  requireWritable(): void;
  /** Records after `after`, oldest first. */
  page(query: AuditQuery): Promise<AuditPage>;
  /** Number of the last record; 0 when there is none. */
  lastSeq(): number;
  /** The public key, PEM (SPKI), and the newest checkpoint. */
  identity(): { readonly publicKey: string; readonly keyId: string; readonly checkpoint: AuditCheckpoint | undefined };
  /** Why records cannot be written now. */
  fault(): string | undefined;
  /** Writes what waits and a last checkpoint, and sends it to the anchors. */
  close(): Promise<void>;
}

/** The audit of a data directory, with what was found in it. */
export interface OpenedAudit extends Audit {
  /** Records that no checkpoint covered when it was opened, after a crash: signed since, and never proved. */
  unsignedAtStart(): RecordRange | undefined;
}

/** Records by their numbers, both included. */
export interface RecordRange {
  readonly from: number;
  readonly until: number;
}

/** Which records; all given conditions hold. */
export interface AuditQuery {
  /** Number of the record before the first one; default 0. */
  readonly after?: number | undefined;
  /** 1 to 1000; default 100. */
  readonly limit?: number | undefined;
  readonly type?: AuditType | undefined;
  readonly runId?: string | undefined;
  readonly engagement?: string | undefined;
  readonly principal?: string | undefined;
}

/** One part of the table. */
export interface AuditWindow extends AuditQuery {
  readonly limit: number;
  /** Number of the last record that is looked at. */
  readonly until?: number | undefined;
}

/** One row as it lies in the table: nothing of it is read or trusted. */
export interface AuditRow {
  readonly seq: number;
  readonly text: string;
  readonly type: string;
  readonly runId: string | null;
}

/** Where records and checkpoints are kept. */
export interface AuditStore {
  /** Appends in one transaction. Rejects when a record does not follow the last one. */
  append(records: readonly AuditRecord[]): Promise<void>;
  page(query: AuditWindow): Promise<readonly AuditRecord[]>;
  /** For verification: rows after `after` in the order of their numbers. */
  rows(after: number, limit: number): Promise<readonly AuditRow[]>;
  last(): Promise<AuditRecord | undefined>;
  addCheckpoint(checkpoint: AuditCheckpoint): Promise<void>;
  /** For verification: texts of checkpoints with numbers above `after`, lowest first. */
  checkpoints(after: number, limit: number): Promise<readonly { readonly seq: number; readonly text: string }[]>;
  lastCheckpoint(): Promise<AuditCheckpoint | undefined>;
}

/** The end of the JSON Lines file as it was found. */
export interface AuditFileEnd {
  /** The last whole line. */
  readonly last: string | undefined;
  /** Bytes of a line that a loss of power tore, which were cut off. */
  readonly cutBytes: number;
}

/** The second copy: one record in each line, canonical JSON, and the checkpoints beside it. Each method rejects when it cannot. */
export interface AuditFile {
  /** Opens the file, or opens it again, making it when it is not there. */
  open(): Promise<AuditFileEnd>;
  /** Resolves once the lines are durable. Rejects also when somebody else changed, removed or replaced the file since. */
  append(lines: readonly string[]): Promise<void>;
  /** The lines of records with a higher number, as they are. */
  after(seq: number): AsyncIterable<string>;
  addCheckpoint(line: string): Promise<void>;
  /** The last whole line of the checkpoints. */
  lastCheckpoint(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Signs checkpoints with the key of this data directory. */
export interface AuditSigner {
  /** PEM (SPKI). */
  readonly publicKey: string;
  readonly keyId: string;
  /** Ed25519 (RFC 8032), base64. */
  sign(text: string): string;
}

/** A place outside, to which checkpoints are sent. Rejects when one did not arrive. */
export interface Anchor {
  readonly kind: 'file' | 'webhook' | 'syslog';
  send(checkpoint: AuditCheckpoint): Promise<void>;
}

/** All places outside: sending blocks nobody, and is tried again. */
export interface Anchors {
  send(checkpoint: AuditCheckpoint): void;
  /** Tries what waits once more, at most so long. */
  close(waitMs: number): Promise<void>;
}

/** What leaves the process for an anchor or for people. The one implementation is src/outbound.ts. */
export interface Outbound {
  /** POSTs JSON, signed as Standard Webhooks v1 when a secret is given. Rejects unless the answer is 2xx. */
  post(request: {
    readonly url: string;
    readonly id: string;
    readonly body: unknown;
    /** `whsec_` and base64, or any text. */
    readonly secret?: string;
    readonly timeoutMs: number;
  }): Promise<void>;
  /** Sends one RFC 5424 message over `udp://host:port`, `tcp://host:port` or `tls://host:port` (RFC 5426, 6587, 5425). */
  syslog(request: { readonly url: string; readonly message: string; readonly timeoutMs: number }): Promise<void>;
}
