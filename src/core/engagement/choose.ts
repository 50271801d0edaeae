import { SallyportError } from '../errors.ts';
import type { RuleTrace } from '../plan/trace.ts';
import type { EngagementState } from './types.ts';

/** Takes the engagement of a call out of those of its principal. Throws ERR_ENGAGEMENT_UNKNOWN, ERR_ENGAGEMENT_REQUIRED. */
export function chooseAmong<E extends { readonly id: string }>(
  mine: readonly E[],
  named: string | undefined,
  trace: RuleTrace,
): E {
  const ids = mine.map(({ id }) => id);
  if (named !== undefined) {
    const found = mine.find(({ id }) => id === named);
    // One answer for "there is none" and for "not yours": names of customers are not to be guessed at.
    if (found === undefined) throw unknownEngagement();
    trace.pass('engagement.principal', { datum: `${found.id} names this key` });
    return found;
  }
  const [only, ...others] = mine;
  if (only !== undefined && others.length === 0) {
    trace.pass('engagement.principal', { datum: `${only.id} is the only one of this key` });
    return only;
  }
  const message =
    only === undefined
      ? 'No engagement names this key: ask the operator for one.'
      : `Several engagements name this key: say which in run.engagement (${ids.join(', ')}).`;
  throw new SallyportError('ERR_ENGAGEMENT_REQUIRED', message, {
    details: { rule: 'engagement.principal', engagements: ids },
  });
}

/** The answer for an id that is nobody's or somebody else's, without the id. */
export function unknownEngagement(): SallyportError {
  return new SallyportError(
    'ERR_ENGAGEMENT_UNKNOWN',
    'There is no such engagement of yours; GET /v1/scope shows those.',
    {
      details: { rule: 'engagement.principal' },
    },
  );
}

/** The refusal of an engagement that is not open; `now` by the wall clock. */
export function notOpen(id: string, state: EngagementState, now: number): SallyportError {
  const { opensAt, why = '' } = state;
  const details = { rule: state.rule ?? 'engagement.window', engagement: id, state: state.state };
  if (state.state === 'expired') {
    return new SallyportError(
      'ERR_ENGAGEMENT_EXPIRED',
      `Engagement ${id} has expired. ${why} Only the operator can extend it.`,
      { details },
    );
  }
  if (state.state === 'revoked') {
    return new SallyportError(
      'ERR_ENGAGEMENT_REVOKED',
      `Engagement ${id} does not hold any more. ${why} Only the operator can reinstate it.`,
      { details },
    );
  }
  const again = opensAt === undefined ? 'It does not open again.' : `It opens at ${new Date(opensAt).toISOString()}.`;
  return new SallyportError('ERR_ENGAGEMENT_NOT_OPEN', `Engagement ${id} is not open. ${why} ${again}`, {
    details: { ...details, ...(opensAt !== undefined && { opensAt: new Date(opensAt).toISOString() }) },
    ...(opensAt !== undefined && { retryAfterMs: Math.max(1, opensAt - now) }),
  });
}
