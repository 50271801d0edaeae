import type {
  ENGAGEMENT_SOURCES,
  ENGAGEMENT_STATES,
  EngagementDocument,
  EngagementVersion,
  EngagementView,
} from '../../../schemas/engagement.ts';
import type { Risk } from '../../../schemas/risk.ts';
import type { Principal } from '../auth/types.ts';
import type { RuleTrace } from '../plan/trace.ts';
import type { TargetPolicy } from '../targets/types.ts';

/** Where an engagement is written. */
export type EngagementSource = (typeof ENGAGEMENT_SOURCES)[number];
/** How an engagement stands. */
export type EngagementStateName = (typeof ENGAGEMENT_STATES)[number];

/** One version of the operator's permission, checked and never changed. */
export interface Engagement {
  readonly id: string;
  /** First 16 hexadecimal digits of SHA-256 over the canonical document. */
  readonly version: string;
  readonly document: EngagementDocument;
  readonly source: EngagementSource;
  /** Its scope and ports, below what the configuration denies to everybody. */
  readonly policy: TargetPolicy;
}

/** How an engagement stands at this moment. */
export interface EngagementState {
  readonly state: Exclude<EngagementStateName, 'killed'>;
  /** `engagement.from`, `.until`, `.weekly`, `.blackout` or `.revoked`; absent when open. */
  readonly rule?: string;
  readonly why?: string;
  /** Milliseconds since the epoch; absent when not known or never. */
  readonly opensAt?: number;
  readonly closesAt?: number;
}

/** Who asks for an engagement: a key's id, and its name, which says whose key it is. */
export type Asker = Pick<Principal, 'id' | 'name'>;

/** The engagements in force, as plans and runs ask them. Nothing here waits. */
export interface Engagements {
  /**
   * The engagement that a call runs under: the named one, or the only one of this principal. `default` is everybody's
   * whom no other engagement names, whatever the state of that one. Throws ERR_ENGAGEMENT_UNKNOWN (also for somebody
   * else's), ERR_ENGAGEMENT_REQUIRED with the ids in `details.engagements`.
   */
  choose(who: Asker, named: string | undefined, trace?: RuleTrace): Engagement;
  /** Those of a principal, by id. */
  of(who: Asker): readonly Engagement[];
  /** The version in force. */
  get(id: string): Engagement | undefined;
  all(): readonly Engagement[];
  /** Judged by the wall clock and by one that no jump moves: open only when it is open by both. */
  state(engagement: Engagement): EngagementState;
  /** Throws ERR_ENGAGEMENT_NOT_OPEN (retryAfterMs when it opens again), ERR_ENGAGEMENT_EXPIRED or ERR_ENGAGEMENT_REVOKED. */
  requireOpen(engagement: Engagement, trace?: RuleTrace): void;
  /** Whether the tool may be used under it at all; the risk is asked elsewhere. */
  allowsTool(engagement: Engagement, tool: string): boolean;
  /** Grows with every change of any engagement. */
  generation(): number;
  /** Called after every change. Returns the way to stop listening. */
  onChange(listener: () => void): () => void;
  /** The highest ceiling over all engagements: a tool above it is nobody's. */
  highestRisk(): Risk;
  /** What is wrong with files of engagements that are not in force, for health; empty when nothing is. */
  faults(): readonly string[];
}

/** What operators do with engagements. Every change is durable and audited before it applies. */
export interface EngagementDesk {
  list(): readonly EngagementView[];
  /** Throws ERR_ENGAGEMENT_UNKNOWN. */
  get(id: string): EngagementView;
  /** Newest first. */
  versions(id: string): Promise<readonly EngagementVersion[]>;
  /** Throws ERR_ENGAGEMENT_INVALID with `details.faults`, ERR_ENGAGEMENT_READ_ONLY for one of a file or of the configuration. */
  put(who: Principal, document: unknown, requestId: string): Promise<EngagementView>;
  /** Only of REST engagements; its runs end. */
  remove(who: Principal, id: string, at: Change): Promise<void>;
  /** Holds for every version of this id, wherever it is written, until it is reinstated; its runs end. */
  revoke(who: Principal, id: string, at: Change): Promise<EngagementView>;
  reinstate(who: Principal, id: string, at: Change): Promise<EngagementView>;
}

/** Why somebody changes something, and in which request. */
export interface Change {
  readonly reason: string;
  readonly requestId: string;
}

/** A revoked id. */
export interface Revocation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: string;
  readonly reason: string;
}
