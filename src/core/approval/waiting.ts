import type { Run } from '../../../schemas/run-record.ts';
import { SallyportError } from '../errors.ts';
import { within } from '../within.ts';
import { announceEnd, expire, recordOf, shown, tell } from './endings.ts';
import type { Desk } from './parts.ts';
import { lapsedOf } from './rules.ts';
import type { StoredApproval } from './types.ts';
import type { Asked } from './view.ts';
import type { Ending } from './waiters.ts';

/** See `Approvals.wait`. */
export async function waitForConsent(desk: Desk, run: Run, signal: AbortSignal): Promise<void> {
  const { runId } = run;
  const ended = desk.waiters.open(runId);
  const withdraw = () => void withdrawRequest(desk, run);
  signal.addEventListener('abort', withdraw, { once: true });
  if (signal.aborted) withdraw();
  void desk
    .inTurn(runId, () => request(desk, run))
    .then(
      (ending) => ending !== undefined && desk.waiters.settle(runId, ending),
      (thrown: unknown) => giveUp(desk, run, thrown),
    );
  try {
    const ending = await ended;
    if (signal.aborted) throw cancelled();
    await judge(desk, run, ending);
  } finally {
    signal.removeEventListener('abort', withdraw);
  }
}

/** Asks people, after the audit has it. Resolves to the end when there is one already. */
async function request(desk: Desk, run: Run): Promise<Ending | undefined> {
  const stored = await desk.store.get(run.runId);
  if (stored === undefined)
    throw new SallyportError('ERR_INTERNAL', 'The run waits for consent that nobody asked for.');
  const asked = { request: stored, run };
  if (stored.outcome !== null) {
    // Decided before the last restart; whether people heard of it is not known.
    tell(desk, 'approval.decided', asked);
    return stored.outcome;
  }
  desk.waiters.watch(stored);
  if (desk.waiters.isLate(stored)) {
    await expire(desk, asked);
    return undefined;
  }
  await recordRequest(desk, asked);
  if (!desk.waiters.isOpen(run.runId)) return undefined;
  desk.log.info('approval.requested', {
    runId: run.runId,
    tool: run.tool,
    engagement: stored.engagement,
    principal: stored.requester.id,
    quorum: stored.quorum,
  });
  tell(desk, 'approval.requested', asked);
  return undefined;
}

async function recordRequest(desk: Desk, asked: Asked): Promise<void> {
  const { requester, quorum, approvers, selfConfirm, requestedAt, expiresAt } = asked.request;
  const { tool, risk, argv, targets } = shown(desk, asked);
  const isResumed = requestedAt < desk.bornAt || desk.earlier.has(asked.request);
  const event = recordOf(asked.request, {
    type: 'approval.requested',
    principal: requester.id,
    requestId: asked.run.requestId,
    data: { tool, risk, argv, targets, quorum, approvers, selfConfirm, expiresAt: iso(expiresAt), isResumed },
  });
  // What was asked for in an earlier life stands in the audit; an audit that fails must not end it.
  if (isResumed) desk.audit.note(event);
  else await desk.audit.append(event);
}

/** Nobody may decide what nobody waits for. */
async function giveUp(desk: Desk, run: Run, thrown: unknown): Promise<void> {
  await close(desk, run).catch(() => undefined);
  desk.waiters.fail(run.runId, thrown);
}

/** The end of the waiting as the run gets it. Throws for everything but consent that still counts. */
async function judge(desk: Desk, run: Run, ending: Ending): Promise<void> {
  if (ending === 'withdrawn') throw cancelled();
  if (ending === 'expired') {
    throw new SallyportError('ERR_APPROVAL_EXPIRED', 'Nobody consented in time; nothing ran. Ask again.', {
      details: { rule: 'approval.time' },
    });
  }
  if (ending === 'declined') throw denial('It was declined by the requester; nothing ran.');
  const stored = await desk.store.get(run.runId);
  if (ending === 'approved' && stored !== undefined) return requireQuorum(desk, stored);
  const { name, reason } = stored?.decisions.find(({ decision }) => decision === 'denied') ?? { name: '', reason: '' };
  const why = desk.masker(run.owner).text(reason);
  throw denial(`${name} denied it: ${JSON.stringify(why)}. Ask for something else.`);
}

/** Attack: the consent of a key that was revoked since, for example while the gateway was down. */
async function requireQuorum(desk: Desk, stored: StoredApproval): Promise<void> {
  const lapsed = await lapsedOf(desk, stored);
  const given = stored.decisions.filter(({ decision, by }) => decision === 'approved' && !lapsed.includes(by));
  if (given.length >= stored.quorum) return;
  const error = denial('Somebody who consented may no longer do so; nothing ran. Ask again.');
  desk.audit.note(
    recordOf(stored, { type: 'approval.refused', data: { code: error.code, rule: 'approval.standing', lapsed } }),
  );
  throw error;
}

function denial(message: string): SallyportError {
  return new SallyportError('ERR_APPROVAL_DENIED', message, { details: { rule: 'approval.consent' } });
}

function cancelled(): SallyportError {
  return new SallyportError('ERR_RUN_CANCELLED', 'The run was cancelled while it waited for consent; nothing ran.');
}

/** A store that does not answer must not hold up a kill switch. */
const CLOSE_MS = 1000;

async function withdrawRequest(desk: Desk, run: Run): Promise<void> {
  await close(desk, run).catch((err: unknown) => desk.log.error('store.failed', { runId: run.runId, err }));
  desk.waiters.settle(run.runId, 'withdrawn');
}

async function close(desk: Desk, run: Run): Promise<void> {
  if ((await within(desk.store.close(run.runId, 'withdrawn'), CLOSE_MS)) !== true) return;
  const stored = await within(desk.store.get(run.runId), CLOSE_MS);
  if (stored !== undefined) announceEnd(desk, { request: stored, run });
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
