import type { KillReport, KillState } from '../../../schemas/kill.ts';
import type { RuleTrace } from '../plan/trace.ts';
import type { LiveRuns } from '../run/live-runs.ts';

/** One kill switch as it is kept. */
export interface StoredKill {
  /** Null: everything. */
  readonly engagement: string | null;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly by: string;
  readonly reason: string;
}

/** Where the switches are kept. */
export interface KillStore {
  all(): Promise<readonly StoredKill[]>;
  put(kill: StoredKill): Promise<void>;
  remove(engagement: string | null): Promise<void>;
}

/** Who pulls or lifts it. */
export interface KillRequest {
  /** Absent: everything. */
  readonly engagement?: string | undefined;
  /** Principal id, or `signal`, or `file`. */
  readonly by: string;
  readonly reason: string;
  readonly requestId?: string;
}

/** Refuses new runs and ends running ones, for one engagement or for all; survives a restart. */
export interface KillSwitch {
  /** Throws ERR_KILL_SWITCH. Looks at the sentinel file each time. Nothing is awaited. */
  check(engagement: string, trace?: RuleTrace): void;
  isOn(engagement: string): boolean;
  state(): KillState;
  /**
   * In force before anything is awaited, also when neither store nor audit can be written. Resolves when the process
   * trees are gone and the switch is durable. Rejects with ERR_STORE_UNAVAILABLE when it is in force but not durable.
   */
  engage(request: KillRequest): Promise<KillReport>;
  /** Throws ERR_KILL_SWITCH while the sentinel file is there, ERR_INPUT_INVALID when there is nothing to lift. */
  lift(request: KillRequest): Promise<KillState>;
}

/** The live runs, as the policy ends them. */
export type EndableRuns = Pick<LiveRuns, 'subjects' | 'endWhere'>;

/** A file whose mere existence is a kill of everything. */
export interface Sentinel {
  /** True also when nobody can say. */
  isPresent(): boolean;
}

/** The kill switch with what only the gateway does with it. */
export interface KillSwitchMachine extends KillSwitch {
  /** Until it resolves everything is refused. Rejects with ERR_STORE_UNAVAILABLE: the gateway must not start then. */
  load(): Promise<void>;
  /** Looks at the sentinel file: its appearance ends runs, its removal lifts what it switched on and nothing else. */
  sentinelChanged(): void;
  /** Everything, at once. Never throws: a signal handler has nobody to tell. */
  engageBySignal(): void;
  /** Called after each change. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
}
