import type { RunResult } from '../../../schemas/run.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { Plan } from '../plan/plan.ts';
import type { RunText } from './conclusion.ts';
import { maskOf } from './plan-mask.ts';

/** What a record is made from besides its plan. */
export interface RecordFrame {
  readonly runId: string;
  readonly owner: string;
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly text: RunText;
}

const NOTHING_KEPT = { bytes: 0, truncated: false, keptBytes: 0, sha256: null } as const;

/** The counts of a run that has found nothing yet. */
export const NO_FINDINGS: Run['findings'] = {
  total: 0,
  bySeverity: { info: 0, low: 0, medium: 0, high: 0, critical: 0 },
};

/** The record of a run that waits for its place, or for people: everything that is known of it before it starts, secrets masked. */
export function queuedRecord(plan: Plan, frame: RecordFrame): Run {
  const { runId, owner, requestId, createdAt } = frame;
  return {
    runId,
    tool: plan.tool.definition.name,
    owner,
    requestId,
    state: plan.approval === undefined ? 'queued' : 'awaiting_approval',
    approval: approvalOf(plan, createdAt),
    createdAt: new Date(createdAt).toISOString(),
    startedAt: null,
    endedAt: null,
    queuedMs: 0,
    durationMs: 0,
    complete: false,
    error: null,
    progress: null,
    layers: [],
    exitCode: null,
    stdout: NOTHING_KEPT,
    stderr: NOTHING_KEPT,
    findings: NO_FINDINGS,
    ...plannedFields(plan, frame.text),
  };
}

function approvalOf({ approval }: Plan, createdAt: number): Run['approval'] {
  if (approval === undefined) return null;
  const { quorum, ttlMs } = approval;
  return { quorum, approvals: 0, expiresAt: new Date(createdAt + ttlMs).toISOString() };
}

/** The fields that a plan decides; a run that waited is planned again, and they are written again. */
export function plannedFields(plan: Plan, text: RunText) {
  const { availability } = plan.tool;
  const mask = maskOf(text, plan);
  return {
    toolVersion: availability.version ?? null,
    engagement: plan.engagement.id,
    planDigest: plan.digests.all,
    risk: plan.risk,
    timeoutMs: plan.timeoutMs,
    targets: plan.pinned.list.map(({ role, given, canonical, addresses }) => ({
      role,
      given: mask(given),
      canonical: mask(canonical),
      addresses: [...addresses],
    })),
    argv: mask([plan.binary, ...plan.argv]),
    degraded: [...plan.degraded],
  } satisfies Partial<Run>;
}

/** The same answer, not complete, and saying why. */
export function cutShort(result: RunResult, why: string): RunResult {
  return { ...result, complete: false, degraded: [...result.degraded.filter((each) => each !== why), why] };
}
