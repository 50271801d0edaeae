import { isAbove } from '../../../schemas/risk.ts';
import type { Asker, Engagement, Engagements } from '../engagement/types.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { LiveSubject } from '../run/live-runs.ts';
import type { PinnedTarget, TargetClaim, TargetLimits } from '../targets/types.ts';

/** A live run; with its claims the ports that it touches are judged too. */
export interface WatchedRun extends LiveSubject {
  readonly claims?: readonly TargetClaim[] | undefined;
}

/** Its size was judged when it was planned, and has not grown since. */
const ANY_SIZE: TargetLimits = { maxAddresses: Number.MAX_VALUE, maxPorts: Number.MAX_SAFE_INTEGER };

/**
 * Why a run may not go on under the engagement in force, by what is known without asking anybody; undefined when it may.
 * Throws what is no refusal.
 */
export function judgeNow(engagements: Engagements, run: LiveSubject): SallyportError | undefined {
  const engagement = engagements.get(run.engagement);
  if (engagement === undefined) return removed(run);
  try {
    engagements.requireOpen(engagement);
    if (!engagements.allowsTool(engagement, run.tool)) return toolDenied(engagement, run);
  } catch (thrown) {
    if (thrown instanceof SallyportError) return thrown;
    throw thrown;
  }
  return isAbove(run.risk, engagement.document.risk) ? riskTooHigh(engagement, run) : undefined;
}

/** Why a run may not go on under a changed engagement: its principal or its targets are no longer in it. */
export async function judgeChanged(
  engagements: Pick<Engagements, 'get' | 'of'>,
  run: WatchedRun,
  owner: Asker | undefined,
): Promise<SallyportError | undefined> {
  const engagement = engagements.get(run.engagement);
  if (engagement === undefined) return removed(run);
  // A key that is gone was judged by those who took it away: this is about the engagement alone.
  if (owner !== undefined && !engagements.of(owner).some(({ id }) => id === run.engagement)) return notTheirs(run);
  if (run.pinned === undefined) return undefined; // planned again before it starts
  try {
    await engagement.policy.pin(claimsOf(run, run.pinned.list), ANY_SIZE);
    return undefined;
  } catch (thrown) {
    return outOfScope(engagement, toSallyportError(thrown));
  }
}

/** What it asked for, and every address that it was pinned to: those are contacted, whatever its names answer today. */
function claimsOf({ claims }: WatchedRun, pinned: readonly PinnedTarget[]): readonly TargetClaim[] {
  const asked = claims ?? pinned.map(({ role, kind, given }) => ({ role, kind, value: given }));
  const named = pinned.filter(({ name, kind }) => name !== undefined && kind !== 'domain');
  return [
    ...asked,
    ...named.flatMap(({ role, addresses, port }) =>
      addresses.map((value) => ({
        role,
        kind: 'host' as const,
        value,
        ...(port === undefined ? {} : { ports: [{ from: port, to: port }] }),
      })),
    ),
  ];
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

function notTheirs({ engagement }: LiveSubject): SallyportError {
  return new SallyportError(
    'ERR_ENGAGEMENT_REVOKED',
    `The operator took you out of engagement ${engagement}; the run was ended.`,
    { details: { rule: 'engagement.principals', engagement } },
  );
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
    `The operator changed engagement ${id}, and the run was ended: ${message}`,
    { details: { rule: 'target.scope', ...details, engagement: id }, cause },
  );
}
