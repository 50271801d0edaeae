import type { Approval } from '../../../schemas/approval.ts';
import type { Principal } from '../auth/types.ts';
import { SallyportError } from '../errors.ts';
import { cleanText } from '../redaction/untrusted.ts';
import { announceEnd, expire, recordOf, shown } from './endings.ts';
import type { Desk } from './parts.ts';
import * as rules from './rules.ts';
import type { DecisionRequest, DecisionResult, WeighedDecision } from './types.ts';
import type { Asked } from './view.ts';

/** Who decides what, and in which request. */
export interface Deciding {
  readonly who: Principal;
  readonly runId: string;
  readonly requestId: string;
}

const MAX_REASON = 500;

/** See `Approvals.decide`. */
export function decide(desk: Desk, by: Deciding, { decision, digest, reason }: DecisionRequest): Promise<Approval> {
  return recorded(desk, by, async (note) => {
    const now = await rules.requireScope(desk, by.who, 'runs:approve');
    const asked = note(await rules.askedOf(desk, by.runId));
    const { request } = asked;
    if (!isParty(desk, now, asked)) throw rules.unknown();
    rules.requireOther(now, request);
    await requirePending(desk, asked);
    rules.requireSameDigest(asked, digest);
    rules.requireFirst(now, request);
    // To say no is always possible.
    if (decision === 'approved') rules.requireInForce(desk, request);
    return take(desk, by, {
      asked,
      weighed: {
        decision,
        by: now.id,
        name: now.name,
        reason: reasonOf(desk, asked, reason),
        at: '',
        via: 'rest',
        lapsed: await rules.lapsedOf(desk, request),
      },
    });
  });
}

/** See `Approvals.confirm`. */
export function confirm(desk: Desk, by: Deciding, asks: { digest: string; accepted: boolean }): Promise<void> {
  return recorded(desk, by, async (note) => {
    const asked = note(await rules.askedOf(desk, by.runId));
    const { request } = asked;
    if (by.who.id !== request.requester.id) throw rules.unknown();
    const now = await rules.requireScope(desk, by.who, 'runs:execute');
    await requirePending(desk, asked);
    rules.requireSameDigest(asked, asks.digest);
    if (!asks.accepted) return decline(desk, by, asked);
    rules.requireInForce(desk, request);
    const counts = rules.mayConfirmAlone(desk, request);
    if (counts) rules.requireFirst(now, request);
    await desk.audit.append(
      recordOf(request, { type: 'approval.confirmed', principal: now.id, requestId: by.requestId, data: { counts } }),
    );
    if (!counts) return;
    const lapsed = await rules.lapsedOf(desk, request);
    const reason = 'confirmed by the requester';
    const weighed = { decision: 'approved', by: now.id, name: now.name, reason, at: '', via: 'mcp', lapsed } as const;
    await take(desk, by, { asked, weighed });
  });
}

/** One after the other for each run; a refusal is in the audit with its code. */
async function recorded<T>(
  desk: Desk,
  { who, runId, requestId }: Deciding,
  act: (note: (asked: Asked) => Asked) => Promise<T>,
): Promise<T> {
  desk.audit.requireWritable();
  let known: Asked | undefined;
  const note = (asked: Asked): Asked => (known = asked);
  try {
    return await desk.inTurn(runId, () => act(note));
  } catch (thrown) {
    if (thrown instanceof SallyportError && thrown.code !== 'ERR_AUDIT_UNAVAILABLE') {
      desk.audit.note({
        type: 'approval.refused',
        principal: who.id,
        requestId,
        ...(rules.isRunId(runId) ? { runId } : {}),
        ...(known === undefined ? {} : { engagement: known.request.engagement, digest: known.request.digest }),
        data: {
          code: thrown.code,
          ...(thrown.details?.['rule'] === undefined ? {} : { rule: thrown.details['rule'] }),
        },
      });
    }
    throw thrown;
  }
}

function isParty(desk: Desk, who: Principal, { request }: Asked): boolean {
  return who.id === request.requester.id || rules.isApprover(desk, who, request);
}

async function requirePending(desk: Desk, asked: Asked): Promise<void> {
  if (asked.request.outcome === null && desk.waiters.isLate(asked.request)) await expire(desk, asked);
  rules.requirePending(desk, asked);
}

/** A reason goes to the requester, who may be a model, and into the audit: nothing in it steers a terminal or tells a secret. */
function reasonOf(desk: Desk, { run }: Asked, reason: string): string {
  const cleaned = cleanText(reason, MAX_REASON).trim();
  if (cleaned === '') {
    throw new SallyportError('ERR_INPUT_INVALID', 'The reason has no word that can be read.', {
      details: { rule: 'approval.reason', field: 'reason' },
    });
  }
  return desk.masker(run.owner).text(cleaned);
}

/** Audited before it counts; the store has the last word, because others may decide at the same moment. */
async function take(
  desk: Desk,
  { runId, requestId }: Deciding,
  { asked, weighed }: { readonly asked: Asked; readonly weighed: WeighedDecision },
): Promise<Approval> {
  const { decision, by, name, reason, via, lapsed } = weighed;
  await desk.audit.append(
    recordOf(asked.request, {
      type: `approval.${decision}`,
      principal: by,
      requestId,
      data: { name, reason, via, quorum: asked.request.quorum, lapsed: lapsed ?? [] },
    }),
  );
  const at = new Date(desk.clock.now()).toISOString();
  const result = await desk.store.decide(runId, asked.request.digest, { ...weighed, at });
  if (result.kind !== 'taken') throw await refusalOf(desk, result.kind, runId);
  const after = { request: result.approval, run: asked.run };
  const { outcome } = result.approval;
  desk.log.info('approval.decided', { runId, requestId, principal: by, decision, outcome: outcome ?? 'pending' });
  announceEnd(desk, after);
  if (outcome !== null) desk.waiters.settle(runId, outcome);
  return shown(desk, after);
}

async function refusalOf(desk: Desk, kind: Exclude<DecisionResult['kind'], 'taken'>, runId: string) {
  if (kind === 'unknown') return rules.unknown();
  if (kind === 'digest') return rules.otherPlan();
  if (kind === 'repeated') return rules.repeated();
  return rules.over((await desk.store.get(runId))?.outcome ?? 'over');
}

async function decline(desk: Desk, { runId, requestId }: Deciding, asked: Asked): Promise<void> {
  const { request } = asked;
  await desk.audit.append(
    recordOf(request, {
      type: 'approval.denied',
      principal: request.requester.id,
      requestId,
      data: { name: request.requester.name, reason: 'declined by the requester', via: 'mcp' },
    }),
  );
  if (!(await desk.store.close(runId, 'withdrawn'))) throw await refusalOf(desk, 'over', runId);
  announceEnd(desk, { ...asked, request: { ...request, outcome: 'withdrawn' } });
  desk.waiters.settle(runId, 'declined');
}
