import type { Finding, FindingKind, Severity } from '../../../schemas/finding.ts';
import type { RunOptions, RunResult } from '../../../schemas/run.ts';
import type { Run, RunEventType, RunState } from '../../../schemas/run-record.ts';
import type { EngagementVersion } from '../../../schemas/engagement.ts';
import type { PlanView } from '../../../schemas/plan.ts';
import type { ApprovalRequest, ApprovalStore } from '../approval/types.ts';
import type { AuditStore } from '../audit/types.ts';
import type { KeyStore, SecretStore } from '../auth/types.ts';
import type { BudgetStore } from '../budget/types.ts';
import type { Revocation } from '../engagement/types.ts';
import type { KillStore } from '../kill/types.ts';
import type { PlanDigests } from '../plan/digest.ts';
import type { Coverage, Observation } from '../findings/types.ts';

/**
 * Everything durable. Each write resolves once it survives the loss of power; each method rejects with
 * ERR_STORE_UNAVAILABLE when it cannot. Reads see every write that resolved before them.
 */
export interface Store {
  readonly runs: RunStore;
  readonly output: OutputStore;
  readonly findings: FindingStore;
  readonly keys: KeyStore;
  readonly secrets: SecretStore;
  readonly tools: ToolStateStore;
  readonly engagements: EngagementStore;
  readonly plans: PlanStore;
  readonly approvals: ApprovalStore;
  readonly budgets: BudgetStore;
  readonly kills: KillStore;
  readonly audit: AuditStore;
  /** 32 random bytes of this store, for cursors and digests that outlive a restart. */
  readonly cursorKey: Buffer;
  /** Why writes fail now, until one succeeds again; undefined when all is well. */
  fault(): StoreFault | undefined;
  /** Writes and syncs one row. Rejects with ERR_STORE_UNAVAILABLE. */
  probe(): Promise<void>;
  /** Bytes of the database with its log. */
  size(): Promise<number>;
  /** Writes a consistent copy to a path where nothing is yet. */
  backup(path: string): Promise<void>;
  /** What an integrity check found wrong; empty when nothing. */
  check(): Promise<readonly string[]>;
  /** Waits for what is being written and lets go of the file. */
  close(): Promise<void>;
}

/** What is wrong with the store. */
export interface StoreFault {
  readonly kind: 'disk_full' | 'read_only' | 'corrupt' | 'other';
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** What is needed to start a queued run later, also in another life of the gateway. Gone once it starts. */
export interface StoredJob {
  readonly input: Readonly<Record<string, unknown>>;
  readonly options: RunOptions;
  /** The caller was told the run's id and does not wait: it is started after a restart too. */
  readonly detached: boolean;
  /** What has to be planned again exactly so: a plan that was named, or one that people consented to. */
  readonly bound?: PlanDigests;
}

/** One event of a run that can be read again. `seq` begins with 1 and has no gaps. */
export interface StoredEvent {
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly type: RunEventType;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A call's own name for its run (draft-ietf-httpapi-idempotency-key-header), unique for its owner. */
export interface IdempotencyKey {
  readonly key: string;
  /** Keyed hash of what was asked, 64 hexadecimal digits: the same key with something else is a conflict. */
  readonly digest: string;
}

/** What became of a creation. */
export type Creation =
  | { readonly kind: 'created' }
  | { readonly kind: 'known' | 'conflict'; readonly runId: string }
  /** The plan ran before, or is gone; nothing was created. */
  | { readonly kind: 'plan_used' };

/** What is stored with a new run in one transaction. */
export interface CreationExtras {
  readonly job?: StoredJob;
  readonly event: StoredEvent;
  readonly idempotency?: IdempotencyKey;
  /** Consent that it waits for. */
  readonly approval?: ApprovalRequest;
  /** The plan that it uses up. */
  readonly planId?: string;
}

/** A plan that may be run once, by its owner, until it expires. */
export interface StoredPlan {
  readonly planId: string;
  readonly owner: string;
  readonly tool: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly digests: PlanDigests;
  readonly input: Readonly<Record<string, unknown>>;
  readonly options: RunOptions;
  readonly view: PlanView;
  /** The run that used it. */
  readonly usedBy: string | null;
}

/** Plans; a plan is used up by `RunStore.create`. */
export interface PlanStore {
  put(plan: StoredPlan): Promise<void>;
  get(planId: string): Promise<StoredPlan | undefined>;
  /** Removes what expired before `before`; how many. Input of plans holds secrets: it must not lie about. */
  sweep(before: number): Promise<number>;
}

/** Engagements of the operator's REST API, the history of all, and what is revoked. */
export interface EngagementStore {
  /** The documents that were put by REST and not removed. */
  current(): Promise<readonly EngagementVersion[]>;
  /** Records a version that comes into force; with source `rest` it is what `current` answers. */
  put(version: EngagementVersion): Promise<void>;
  /** A REST engagement goes; its history stays. */
  remove(id: string): Promise<boolean>;
  /** Newest first. */
  versions(id: string): Promise<readonly EngagementVersion[]>;
  revocations(): Promise<ReadonlyMap<string, Revocation>>;
  /** Null lifts it. */
  setRevocation(id: string, revocation: Revocation | null): Promise<void>;
}

/** One change of a run, whole or not at all. Nothing changes unless the run is in the state `from`. */
export interface RunChange {
  readonly runId: string;
  readonly from: RunState;
  /** Replaces these fields of the record; `state` is the new state. */
  readonly patch: Partial<Run>;
  readonly events: readonly StoredEvent[];
  readonly observations?: readonly Observation[];
  /** Fingerprints that the run stated before and takes back. */
  readonly withdrawn?: readonly string[];
  readonly result?: RunResult;
  readonly coverage?: Coverage;
  /** A new job, or null to drop it. */
  readonly job?: StoredJob | null;
}

/** Which runs; all given conditions hold. */
export interface RunQuery {
  readonly owner?: string;
  readonly tool?: string;
  readonly states?: readonly RunState[];
  /** Canonical target or address of one. */
  readonly target?: string;
  /** Milliseconds since the epoch of the creation: from, inclusive, and until, exclusive. */
  readonly since?: number;
  readonly until?: number;
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/** One page; `next` is absent on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** A run that had not ended. */
export interface Unfinished {
  readonly run: Run;
  readonly job: StoredJob | undefined;
  /** Highest event number. */
  readonly lastSeq: number;
}

/** The runs with their events and results. */
export interface RunStore {
  create(run: Run, extras: CreationExtras): Promise<Creation>;
  /** The run that this owner named so before. */
  byKey(owner: string, key: string): Promise<{ readonly runId: string; readonly digest: string } | undefined>;
  /** False when the run is in another state, or gone. */
  change(change: RunChange): Promise<boolean>;
  get(runId: string): Promise<Run | undefined>;
  /** The whole answer of an ended run. */
  result(runId: string): Promise<RunResult | undefined>;
  coverage(runId: string): Promise<Coverage | undefined>;
  /** Newest first. */
  list(query: RunQuery): Promise<Page<Run>>;
  /** Every run that is not in a final state, oldest first. */
  unfinished(): Promise<readonly Unfinished[]>;
  /** Events after `seq`, in order, at most `limit`. */
  events(runId: string, after: number, limit: number): Promise<readonly StoredEvent[]>;
  /** Removes an ended run with everything that belongs to it; findings that no other run saw go with it. */
  remove(runId: string): Promise<boolean>;
  /** Ended runs that began before `before`, oldest first: for retention. */
  endedBefore(before: number, limit: number): Promise<readonly string[]>;
}

/** The two output streams of a tool. */
export type StreamName = 'stdout' | 'stderr';

/** Kept output of the tools: chunks, each compressed. */
export interface OutputStore {
  /** Resolves once it is durable; chunks of a stream are kept in the order of the calls. */
  append(runId: string, stream: StreamName, chunk: Buffer): Promise<void>;
  /** At most `limit` bytes from `offset` on, and how many there are in all. */
  read(runId: string, stream: StreamName, range: { offset: number; limit: number }): Promise<KeptOutput>;
  /** Removes output, oldest ended runs first: what ended before `before`, and then until at most `maxBytes` are kept. */
  sweep(limits: { before: number; maxBytes: number }): Promise<SweptOutput>;
}

/** One read of a kept stream. */
export interface KeptOutput {
  readonly bytes: Buffer;
  readonly total: number;
}

/** What a sweep removed; bytes as they lay on the disk. */
export interface SweptOutput {
  readonly runs: readonly string[];
  readonly bytes: number;
  /** Kept after it. */
  readonly keptBytes: number;
}

/** Which findings; all given conditions hold. */
export interface FindingQuery {
  readonly owner?: string;
  readonly kind?: FindingKind;
  /** This severity or worse. */
  readonly severity?: Severity;
  readonly tool?: string;
  /** Target or address, exact. */
  readonly target?: string;
  readonly port?: number;
  /** Last seen at or after, milliseconds since the epoch. */
  readonly since?: number;
  readonly limit: number;
  readonly after?: string;
}

/** One observation of a run with the finding it belongs to. */
export interface SeenFinding {
  readonly finding: Finding;
  readonly digest: string;
  /** As the tool stated it: comparison asks for its key and place. */
  readonly key: string | undefined;
}

/** Findings over all runs, and as single runs saw them. */
export interface FindingStore {
  /** Newest `lastSeen` first. */
  list(query: FindingQuery): Promise<Page<Finding>>;
  /** What one run saw, worst severity first. */
  ofRun(runId: string, page: { limit: number; after?: string }): Promise<Page<Finding>>;
  /** The same ordered by fingerprint, for comparison; `after` is a fingerprint. */
  byFingerprint(runId: string, page: { limit: number; after?: string }): Promise<readonly SeenFinding[]>;
}

/** Tools that the operator switched on or off while the gateway ran. */
export interface ToolStateStore {
  all(): Promise<ReadonlyMap<string, boolean>>;
  set(name: string, enabled: boolean): Promise<void>;
}
