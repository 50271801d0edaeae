import type { ApprovalsParts } from './parts.ts';
import type { ApprovalRequest } from './types.ts';

/** The requests that waited when this process began. */
export interface Earlier {
  /** False while nobody knows yet. */
  has(request: ApprovalRequest): boolean;
  /** Whether the time of a request that waited then is over by a clock that never was before the newest known time. */
  isLate(request: ApprovalRequest): boolean;
}

/**
 * Makes them, and reads them once. Attack: the machine's clock is set back while the gateway is down, by as much as an
 * old request has waited, so that its whole time begins anew. What is asked for from now on is measured by the wall clock
 * that it was asked under: a clock that was ahead once must not end it.
 */
export function createEarlier(parts: Pick<ApprovalsParts, 'store' | 'clock' | 'log'>, notBefore: number): Earlier {
  const { store, clock, log } = parts;
  const begin = Math.max(clock.now(), notBefore);
  const offset = begin - clock.monotonic();
  let ids: ReadonlySet<string> | undefined;
  store.pending().then(
    (pending) => (ids = new Set(pending.map(({ runId }) => runId))),
    (err: unknown) => log.error('store.failed', { err }),
  );
  // The time, too: one that is asked for while they are read is none of them.
  const has = ({ runId, requestedAt }: ApprovalRequest) => requestedAt < begin && ids?.has(runId) === true;
  return {
    has,
    // Fail closed: while nobody knows, every request may be one of those.
    isLate: (request) => (ids === undefined || has(request)) && offset + clock.monotonic() >= request.expiresAt,
  };
}
