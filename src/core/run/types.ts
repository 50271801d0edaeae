import type { Diff, FindingKind, FindingPage, Severity } from '../../../schemas/finding.ts';
import type { RunOptions, RunResult } from '../../../schemas/run.ts';
import type { OutputPage, Run, RunEventType, RunPage, RunState } from '../../../schemas/run-record.ts';
import type { Principal } from '../auth/types.ts';
import type { ExportSource } from '../findings/types.ts';
import type { StreamName } from '../store/types.ts';
import type { ToolEvent } from '../tool/definition.ts';

/** One call of one tool by one principal. */
export interface CallRequest {
  readonly tool: string;
  /** Unchecked: the engine validates it against the tool's schema. */
  readonly input: unknown;
  /** Unchecked reserved options. */
  readonly run?: RunOptions | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborting it takes the run out of the queue or ends its process tree, unless the run was detached before. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: ToolEvent) => void;
  /** The caller's own name for this run, 1 to 255 printable ASCII characters. */
  readonly idempotencyKey?: string | undefined;
}

/** A run that is stored and will run, or has run. */
export interface StartedRun {
  readonly runId: string;
  /** False when the idempotency key named a run that was there before. */
  readonly isNew: boolean;
  /**
   * Resolves with the answer of a run that succeeded. Every other end rejects with a SallyportError whose `details.run`
   * is the whole answer when a process ran. Never left unhandled.
   */
  readonly ended: Promise<RunResult>;
  /** The record now. */
  read(): Promise<Run>;
  /** The caller knows the run's id and leaves: `signal` no longer ends it, and it survives a restart while it waits. */
  detach(): Promise<void>;
}

/** The run engine as every channel sees it. */
export interface RunEngine {
  /**
   * Checks, plans, stores and queues a run. Rejects without a record when it is refused (input, policy, room, circuit);
   * ERR_IDEMPOTENCY_CONFLICT when the key was used for something else.
   */
  start(request: CallRequest): Promise<StartedRun>;
  /** `start`, and its end. */
  call(request: CallRequest): Promise<RunResult>;
}

/** What a waiting caller got: the end of the run, or the run as it is while it goes on (detached). */
export type Waited =
  | { readonly kind: 'ended'; readonly result: RunResult }
  | { readonly kind: 'going_on'; readonly run: Run };

/** Filters of a list as a caller gives them. */
export interface RunListRequest {
  readonly tool?: string | undefined;
  readonly state?: readonly RunState[] | undefined;
  readonly target?: string | undefined;
  /** RFC 3339. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** 1 to 200; default 50. */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface FindingListRequest {
  readonly kind?: FindingKind | undefined;
  readonly severity?: Severity | undefined;
  readonly tool?: string | undefined;
  readonly target?: string | undefined;
  readonly port?: number | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface PageRequest {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface DiffRequest extends PageRequest {
  readonly from: string;
  readonly to: string;
  /** Also list what did not change. */
  readonly unchanged?: boolean | undefined;
}

/** One event as a reader gets it. */
export interface RunEvent {
  /** For `Last-Event-ID`; absent for what cannot be read again (`output`, and progress between two stored ones). */
  readonly id?: string;
  readonly type: RunEventType;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * The runs of the past and present as one principal may see them: its own, or all with `runs:read:all`. An id that is
 * unknown, foreign or removed is ERR_RUN_UNKNOWN in every method; a cursor or event id that was not given to this
 * principal for this list is ERR_INPUT_INVALID. Everything is masked for the reader.
 */
export interface RunHistory {
  get(who: Principal, runId: string): Promise<Run>;
  list(who: Principal, request: RunListRequest): Promise<RunPage>;
  /** The whole answer. Throws ERR_RUN_UNFINISHED while the run goes on, ERR_RUN_WITHOUT_RESULT when nothing ran. */
  result(who: Principal, runId: string): Promise<RunResult>;
  /** At most `limit` bytes (default 65536, at most 1048576) from `offset`, to the end of a line where there is one. */
  output(
    who: Principal,
    runId: string,
    request: { stream?: StreamName | undefined; offset?: number | undefined; limit?: number | undefined },
  ): Promise<OutputPage>;
  findings(who: Principal, runId: string, page: PageRequest): Promise<FindingPage>;
  allFindings(who: Principal, request: FindingListRequest): Promise<FindingPage>;
  diff(who: Principal, request: DiffRequest): Promise<Diff>;
  exportSource(who: Principal, runId: string): Promise<ExportSource>;
  /**
   * Events after `lastEventId` (all without one), then live until the run has ended or `signal` aborts. Pulled by the
   * reader: a slow one costs one page, loses intermediate progress and never a state or a finding.
   */
  follow(who: Principal, runId: string, at: FollowPosition): Promise<AsyncIterable<RunEvent>>;
  /** Ends a queued or running run; the record as it is then. An ended run is answered as it is. */
  cancel(who: Principal, runId: string): Promise<Run>;
  /** Removes an ended run. Throws ERR_RUN_UNFINISHED, or ERR_RUN_RETAINED while retention keeps it. */
  remove(who: Principal, runId: string): Promise<void>;
}

/** Where a reader goes on, and when it leaves. */
export interface FollowPosition {
  readonly lastEventId?: string | undefined;
  readonly signal: AbortSignal;
}
