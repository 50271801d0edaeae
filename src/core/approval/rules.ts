import type { ApprovalDecision } from '../../../schemas/approval.ts';
import type { Principal } from '../auth/types.ts';
import { SallyportError } from '../errors.ts';
import type { ApprovalsParts, Desk } from './parts.ts';
import { isListed, isSamePerson, type Someone } from './person.ts';
import type { StoredApproval } from './types.ts';
import { type Asked, stateOf } from './view.ts';

const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a text can be the id of a run. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** What every request says that is not there, or not for this principal: ids cannot be probed. */
export function unknown(): SallyportError {
  return new SallyportError('ERR_APPROVAL_UNKNOWN', 'There is no such request for approval.');
}

/** The request of a run and its record. Throws ERR_APPROVAL_UNKNOWN. */
export async function askedOf({ store, runs }: Pick<ApprovalsParts, 'store' | 'runs'>, runId: string): Promise<Asked> {
  if (!isRunId(runId)) throw unknown();
  const [request, run] = await Promise.all([store.get(runId), runs.get(runId)]);
  if (request === undefined || run === undefined) throw unknown();
  return { request, run };
}

/**
 * Whether this key may consent to runs under this engagement: by the list of the time of the request, and by the one
 * that is in force. Attack: somebody was taken off the list and decides what was asked for before.
 */
export function isApprover(desk: Pick<Desk, 'engagements'>, who: Principal, request: StoredApproval): boolean {
  const current = desk.engagements.get(request.engagement)?.document.approvals?.approvers;
  return who.scopes.has('runs:approve') && isListed(who, request.approvers) && isListed(who, current);
}

/** Attack: whoever asked consents as well, with the same key or with another one of the same name. */
export function requireOther(who: Someone, { requester }: StoredApproval): void {
  if (!isSamePerson(who, requester)) return;
  throw new SallyportError(
    'ERR_APPROVAL_SELF',
    'You asked for this run yourself, with this key or another one of your name: somebody else has to decide. To withdraw it, cancel the run.',
    { details: { rule: 'approval.other-person' } },
  );
}

/** Throws ERR_APPROVAL_OVER for what is decided, expired or withdrawn. */
export function requirePending(desk: Pick<Desk, 'waiters'>, asked: Asked): void {
  const state = stateOf(asked, desk.waiters.isLate(asked.request));
  if (state !== 'pending') throw over(state);
}

/** What a decision is told that comes too late. */
export function over(state: string): SallyportError {
  return new SallyportError(
    'ERR_APPROVAL_OVER',
    `This request is ${state}: no decision counts any more. The run has to be asked for again.`,
    { details: { rule: 'approval.open', state } },
  );
}

/** Throws ERR_PLAN_CHANGED for a decision about something else than what would run. */
export function requireSameDigest({ request, run }: Asked, digest: string): void {
  if (digest === request.digest && (run.planDigest === null || run.planDigest === digest)) return;
  throw otherPlan();
}

/** What a decision about another plan is told. */
export function otherPlan(): SallyportError {
  return new SallyportError(
    'ERR_PLAN_CHANGED',
    'The digest is not that of what would run. Look at the request again and send the digest that it shows.',
    { details: { rule: 'approval.digest' } },
  );
}

/** Throws ERR_APPROVAL_REPEATED. */
export function requireFirst(who: Someone, { decisions }: StoredApproval): void {
  if (decisions.some(({ by, name }) => isSamePerson({ id: by, name }, who))) throw repeated();
}

/** What a second decision of one person is told. */
export function repeated(): SallyportError {
  return new SallyportError(
    'ERR_APPROVAL_REPEATED',
    'You have decided this already, with this key or another one of your name: a quorum is of different people.',
    { details: { rule: 'approval.once' } },
  );
}

/** Throws ERR_ENGAGEMENT_* when nothing could run under the engagement now: then there is nothing to consent to. */
export function requireInForce({ engagements }: Pick<Desk, 'engagements'>, { engagement: id }: StoredApproval): void {
  const engagement = engagements.get(id);
  if (engagement === undefined) {
    throw new SallyportError(
      'ERR_ENGAGEMENT_UNKNOWN',
      `Engagement ${id} is no longer there; the run has to be denied.`,
      {
        details: { rule: 'engagement.known', engagement: id },
      },
    );
  }
  engagements.requireOpen(engagement);
}

/**
 * Who this key is now. Throws ERR_AUTH_FORBIDDEN. Attack: a stolen key was accepted at the door and revoked before its
 * decision is written.
 */
export async function requireScope(
  { principal }: Pick<Desk, 'principal'>,
  who: Principal,
  scope: 'runs:approve' | 'runs:execute',
): Promise<Principal> {
  const now = await principal(who.id);
  if (who.scopes.has(scope) && now?.scopes.has(scope) === true) return now;
  throw new SallyportError('ERR_AUTH_FORBIDDEN', `This key lacks the scope ${scope}, or is no longer valid.`, {
    details: { rule: 'approval.scope', scope },
  });
}

/**
 * Ids of those whose consent does not count any more. Attack: a stolen key consented, was revoked when that was noticed,
 * and the second consent of somebody else would still complete the quorum.
 */
export async function lapsedOf(desk: Desk, request: StoredApproval): Promise<readonly string[]> {
  const given = request.decisions.filter(({ decision }) => decision === 'approved');
  const counted = await Promise.all(given.map((each) => stillCounts(desk, request, each)));
  return given.filter((_each, at) => counted[at] !== true).map(({ by }) => by);
}

async function stillCounts(desk: Desk, request: StoredApproval, { by, via }: ApprovalDecision): Promise<boolean> {
  const now = await desk.principal(by);
  if (now === undefined) return false;
  return via === 'mcp' ? mayConfirmAlone(desk, request) : isApprover(desk, now, request);
}

/** Whether the operator lets a confirmation of the requester count as consent: when it was asked for, and now. */
export function mayConfirmAlone({ engagements }: Pick<Desk, 'engagements'>, request: StoredApproval): boolean {
  const current = engagements.get(request.engagement)?.document.approvals;
  return request.selfConfirm && current?.selfConfirm === true;
}
