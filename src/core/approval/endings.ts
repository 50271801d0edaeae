import type { Approval } from '../../../schemas/approval.ts';
import type { AuditEvent } from '../audit/types.ts';
import type { Desk } from './parts.ts';
import type { ApprovalMessage, StoredApproval } from './types.ts';
import { type Asked, viewOf } from './view.ts';

/** A request as its readers may see it. */
export function shown(desk: Desk, asked: Asked): Approval {
  return viewOf(asked, desk.masker(asked.run.owner), desk.waiters.isLate(asked.request));
}

/** Tells people of a request or of its end. */
export function tell(desk: Desk, type: ApprovalMessage['type'], asked: Asked): void {
  const { runId } = asked.request;
  desk.tell({
    // No dot: it is joined with others by dots before it is signed (Standard Webhooks).
    id: `${type.replace('.', '_')}_${runId}`,
    type,
    timestamp: new Date(desk.clock.now()).toISOString(),
    data: shown(desk, asked),
  });
}

/** A record about a request; who acts stands in `principal`. */
export function recordOf(
  { runId, engagement, digest }: StoredApproval,
  event: Pick<AuditEvent, 'type' | 'principal' | 'requestId'> & { readonly data: Readonly<Record<string, unknown>> },
): AuditEvent {
  return { runId, engagement, digest, ...event };
}

/** Counts and tells an end that was just stored. */
export function announceEnd(desk: Desk, asked: Asked): void {
  const { outcome } = asked.request;
  if (outcome === null) return;
  desk.recorder.count('sallyport_approvals_total', { outcome });
  tell(desk, 'approval.decided', asked);
}

/** Ends a request whose time is over. What cannot be stored now is over nevertheless. */
export async function expire(desk: Desk, asked: Asked): Promise<void> {
  const { runId, expiresAt, requester } = asked.request;
  if (await desk.store.close(runId, 'expired')) {
    desk.audit.note(
      recordOf(asked.request, {
        type: 'approval.expired',
        data: { requester: requester.id, expiresAt: new Date(expiresAt).toISOString() },
      }),
    );
    desk.log.info('approval.expired', { runId });
    announceEnd(desk, { ...asked, request: { ...asked.request, outcome: 'expired' } });
    desk.waiters.settle(runId, 'expired');
    return;
  }
  // Somebody decided in this moment: that is the outcome.
  const outcome = (await desk.store.get(runId))?.outcome ?? 'expired';
  desk.waiters.settle(runId, outcome);
}
