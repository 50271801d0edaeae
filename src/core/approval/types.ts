import type { Approval, ApprovalDecision } from '../../../schemas/approval.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { Risk } from '../../../schemas/risk.ts';
import type { Principal } from '../auth/types.ts';
import type { Engagement } from '../engagement/types.ts';

/** The consent that a plan needs. */
export interface ApprovalNeed {
  /** From this risk up. */
  readonly from: Risk;
  readonly quorum: number;
  readonly ttlMs: number;
  /** Names or ids of keys; absent: every key with `runs:approve`. */
  readonly approvers?: readonly string[];
  readonly selfConfirm: boolean;
}

/** What is stored of a request for consent, with its run in one transaction. */
export interface ApprovalRequest {
  readonly runId: string;
  readonly requester: { readonly id: string; readonly name: string };
  readonly engagement: string;
  readonly digest: string;
  readonly quorum: number;
  readonly approvers: readonly string[] | null;
  readonly selfConfirm: boolean;
  /** Milliseconds since the epoch. */
  readonly requestedAt: number;
  readonly expiresAt: number;
}

/** A request with what was decided and, once it is over, how. */
export interface StoredApproval extends ApprovalRequest {
  readonly decisions: readonly ApprovalDecision[];
  /** Set once: a decision after it changes nothing. */
  readonly outcome: 'approved' | 'denied' | 'expired' | 'withdrawn' | null;
}

/** A decision as it is handed to the store. */
export interface WeighedDecision extends ApprovalDecision {
  /** Ids of those who consented before and may no longer consent: what they said counts for nothing. */
  readonly lapsed?: readonly string[];
}

/** What became of a decision that was handed to the store. */
export type DecisionResult =
  | { readonly kind: 'taken'; readonly approval: StoredApproval }
  /** Nothing was changed. */
  | { readonly kind: 'unknown' | 'over' | 'digest' | 'repeated' };

/** Where requests and decisions are kept. Each method is one transaction. */
export interface ApprovalStore {
  get(runId: string): Promise<StoredApproval | undefined>;
  /** Those without an outcome whose runs wait for one, oldest first. */
  pending(): Promise<readonly StoredApproval[]>;
  /**
   * Takes a decision when its run still waits, the request is open at `at`, its digest is this one and this person has
   * not decided; sets the outcome.
   */
  decide(runId: string, digest: string, decision: WeighedDecision): Promise<DecisionResult>;
  /** Sets the outcome of a request that has none. False when it has one. */
  close(runId: string, outcome: 'expired' | 'withdrawn'): Promise<boolean>;
}

/** The consent of people, as runs wait for it and people give it. */
export interface Approvals {
  /** Undefined when this risk needs none under this engagement. */
  need(engagement: Engagement, risk: Risk): ApprovalNeed | undefined;
  /**
   * Waits for the consent to a stored run in `awaiting_approval`; tells people by webhook. Rejects with
   * ERR_APPROVAL_DENIED, ERR_APPROVAL_EXPIRED, or ERR_RUN_CANCELLED when the signal aborts.
   */
  wait(run: Run, signal: AbortSignal): Promise<void>;
  /** Pending ones that this principal may decide. */
  list(who: Principal): Promise<readonly Approval[]>;
  /** Throws ERR_APPROVAL_UNKNOWN for everything that this principal may neither decide nor has requested. */
  get(who: Principal, runId: string): Promise<Approval>;
  /**
   * Throws ERR_APPROVAL_UNKNOWN, ERR_APPROVAL_SELF (the requester, or another key of the same name), ERR_APPROVAL_OVER
   * (decided, expired, withdrawn), ERR_APPROVAL_REPEATED, ERR_PLAN_CHANGED (another digest). Audited before it counts.
   */
  decide(who: Principal, runId: string, asked: DecisionRequest): Promise<Approval>;
  /** A confirmation in the requester's own client; counts as an approval only where the engagement says `selfConfirm`. */
  confirm(
    who: Principal,
    runId: string,
    asked: { digest: string; accepted: boolean; requestId: string },
  ): Promise<void>;
  readonly pending: () => number;
}

/** A message for people who are not looking: the same `id` is the same message, however often it is sent. */
export interface ApprovalMessage {
  readonly id: string;
  readonly type: 'approval.requested' | 'approval.decided';
  /** ISO 8601. */
  readonly timestamp: string;
  readonly data: Approval;
}

/** One decision as it is asked for. */
export interface DecisionRequest {
  readonly decision: 'approved' | 'denied';
  readonly digest: string;
  readonly reason: string;
  readonly requestId: string;
}
