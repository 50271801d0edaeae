import { isAbove } from '../../../schemas/risk.ts';
import type { Principal } from '../auth/types.ts';
import type { Engagement, Engagements } from '../engagement/types.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { LiveSubject } from '../run/live-runs.ts';

/** Why a run may not go on under the engagement in force, returned or thrown; undefined when it may. */
export function judgeEngagement(engagements: Engagements, run: LiveSubject): SallyportError | undefined {
  const engagement = engagements.get(run.engagement);
  if (engagement === undefined) return removed(run);
  engagements.requireOpen(engagement);
  if (!engagements.allowsTool(engagement, run.tool)) return toolDenied(engagement, run);
  return isAbove(run.risk, engagement.document.risk) ? riskTooHigh(engagement, run) : undefined;
}

/**
 * Why a run may not go on with the targets that it has; undefined when it may. Nothing is looked up. Attack: the server
 * of one tenant's names is silent, and the runs of another one end late, or end for that.
 */
export function judgeTargets(engagement: Engagement, { pinned, claims = [] }: LiveSubject): SallyportError | undefined {
  if (pinned === undefined) return undefined; // planned again before it starts
  const { policy } = engagement;
  try {
    if (policy.recheck === undefined) throw new Error('this policy pins nothing that may go on');
    policy.recheck(claims, pinned.list);
    return undefined;
  } catch (thrown) {
    return outOfScope(engagement, toSallyportError(thrown));
  }
}

/**
 * Why a run of this owner may not go on; undefined when it may. Attack: a leaked key starts a scan for days, is revoked,
 * and the scan goes on.
 */
export function judgeOwner(
  engagements: Pick<Engagements, 'of'>,
  { engagement }: LiveSubject,
  owner: Principal | undefined,
): SallyportError | undefined {
  if (owner?.scopes.has('runs:execute') !== true) return keyGone();
  return engagements.of(owner).some(({ id }) => id === engagement) ? undefined : notTheirs(engagement);
}

function keyGone(): SallyportError {
  return new SallyportError('ERR_AUTH_FORBIDDEN', 'The key of the owner may no longer run tools; the run was ended.', {
    details: { rule: 'key.usable' },
  });
}

function removed({ engagement }: LiveSubject): SallyportError {
  return new SallyportError(
    'ERR_ENGAGEMENT_REVOKED',
    `Engagement ${engagement} is no longer there; the run was ended.`,
    {
      details: { rule: 'engagement.removed', engagement },
    },
  );
}

function notTheirs(engagement: string): SallyportError {
  return new SallyportError('ERR_ENGAGEMENT_REVOKED', `Engagement ${engagement} is not yours now; the run was ended.`, {
    details: { rule: 'engagement.principals', engagement },
  });
}

function toolDenied({ id, document }: Engagement, { tool }: LiveSubject): SallyportError {
  return new SallyportError(
    'ERR_ENGAGEMENT_TOOL_DENIED',
    `Engagement ${id} no longer permits ${tool}; the run was ended.`,
    { details: { rule: 'engagement.tools', engagement: id, allowed: document.tools.allow } },
  );
}

function riskTooHigh({ id, document: { risk: ceiling } }: Engagement, { risk }: LiveSubject): SallyportError {
  return new SallyportError(
    'ERR_RISK_TOO_HIGH',
    `The run is ${risk}, and the operator lowered the ceiling of engagement ${id} to ${ceiling}; the run was ended.`,
    { details: { rule: 'risk.tool', risk, ceiling, engagement: id } },
  );
}

function outOfScope({ id }: Engagement, cause: SallyportError): SallyportError {
  const { code, message, details } = cause;
  return new SallyportError(
    // A fault of ours must not look like a failed tool: the permission could not be proved.
    code === 'ERR_INTERNAL' ? 'ERR_ENGAGEMENT_NOT_OPEN' : code,
    `Engagement ${id} does not permit a target of the run any more, and it was ended: ${message}`,
    { details: { rule: 'target.scope', ...details, engagement: id }, cause },
  );
}
