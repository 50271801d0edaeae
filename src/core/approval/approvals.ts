import type { Approval } from '../../../schemas/approval.ts';
import type { Principal } from '../auth/types.ts';
import { confirm, decide } from './deciding.ts';
import { expire, shown } from './endings.ts';
import { createEarlier } from './earlier.ts';
import { approvalNeed } from './need.ts';
import type { ApprovalsParts, Desk } from './parts.ts';
import { isSamePerson } from './person.ts';
import { askedOf, isApprover, unknown } from './rules.ts';
import { createTurns } from './turns.ts';
import type { Approvals } from './types.ts';
import { waitForConsent } from './waiting.ts';
import { createWaiters } from './waiters.ts';

const LOOK_MS = 1000;

/** Makes the one desk at which runs wait and people decide. */
export function createApprovals(parts: ApprovalsParts): Approvals {
  const { clock, recorder, lookMs = LOOK_MS, notBefore = () => 0 } = parts;
  const onCount = (count: number) => recorder.gauge('sallyport_approvals_pending', {}, count);
  onCount(0);
  const onLate = (runId: string) => void expireLate(desk, runId);
  const earlier = createEarlier(parts, notBefore());
  const waiters = createWaiters({ clock, lookMs, onCount, onLate, earlier });
  const desk: Desk = { ...parts, waiters, inTurn: createTurns(), bornAt: clock.now(), earlier };
  return {
    need: approvalNeed,
    wait: (run, signal) => waitForConsent(desk, run, signal),
    list: (who) => list(desk, who),
    get: (who, runId) => get(desk, who, runId),
    decide: (who, runId, asked) => decide(desk, { who, runId, requestId: asked.requestId }, asked),
    confirm: (who, runId, asked) => confirm(desk, { who, runId, requestId: asked.requestId }, asked),
    pending: () => waiters.size,
  };
}

async function expireLate(desk: Desk, runId: string): Promise<void> {
  try {
    await expire(desk, await askedOf(desk, runId));
  } catch (err) {
    // Fail closed: its time is over whether that can be written or not.
    desk.log.error('store.failed', { runId, err });
    desk.waiters.settle(runId, 'expired');
  }
}

async function list(desk: Desk, who: Principal): Promise<readonly Approval[]> {
  const mine = (await desk.store.pending()).filter(
    (request) => isApprover(desk, who, request) && !isSamePerson(who, request.requester),
  );
  const views = mine.map(async (request) => {
    const run = await desk.runs.get(request.runId);
    return run === undefined ? undefined : shown(desk, { request, run });
  });
  return (await Promise.all(views)).filter((view) => view?.state === 'pending') as Approval[];
}

/** Attack: ids of other people's requests are probed. What is not theirs answers as what is not there. */
async function get(desk: Desk, who: Principal, runId: string): Promise<Approval> {
  const asked = await askedOf(desk, runId);
  if (who.id !== asked.request.requester.id && !isApprover(desk, who, asked.request)) throw unknown();
  return shown(desk, asked);
}
