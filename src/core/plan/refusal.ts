import type { PlanView } from '../../../schemas/plan.ts';
import { type ErrorCode, SallyportError } from '../errors.ts';

/**
 * What the policy says no with. Everything else that a plan can meet (an input that does not fit, a store that cannot be
 * written) is no decision about the call and stays an error.
 */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'ERR_TOOL_DISABLED',
  'ERR_TOOL_UNAVAILABLE',
  'ERR_ENGAGEMENT_REQUIRED',
  'ERR_ENGAGEMENT_UNKNOWN',
  'ERR_ENGAGEMENT_NOT_OPEN',
  'ERR_ENGAGEMENT_EXPIRED',
  'ERR_ENGAGEMENT_REVOKED',
  'ERR_ENGAGEMENT_TOOL_DENIED',
  'ERR_KILL_SWITCH',
  'ERR_RISK_TOO_HIGH',
  'ERR_TARGET_INVALID',
  'ERR_TARGET_OUT_OF_SCOPE',
  'ERR_TARGET_UNRESOLVED',
  'ERR_TARGET_UNPINNABLE',
  'ERR_TARGET_TOO_LARGE',
  'ERR_BUDGET_EXHAUSTED',
]);

/** Whether a thrown thing is the policy's decision about the call. */
export function isRefusal(thrown: unknown): thrown is SallyportError {
  return thrown instanceof SallyportError && REFUSALS.has(thrown.code);
}

/** A refusal as a plan shows it. */
export function refusalOf(error: SallyportError): NonNullable<PlanView['refusal']> {
  const { code, message, details = {}, retryAfterMs } = error;
  const instead = insteadOf(error);
  return {
    code,
    rule: typeof details['rule'] === 'string' ? details['rule'] : code,
    message,
    ...(instead === undefined ? {} : { instead }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(0, Math.ceil(retryAfterMs)) }),
  };
}

/** Most entries of a list that are named. */
const MAX_NAMED = 8;

function insteadOf({ code, details = {} }: SallyportError): string | undefined {
  const { instead, ceiling, allowed, engagements } = details;
  if (typeof instead === 'string') return instead;
  if (code === 'ERR_RISK_TOO_HIGH' && typeof ceiling === 'string') return `tools and options up to ${ceiling}`;
  if (code === 'ERR_ENGAGEMENT_TOOL_DENIED' && Array.isArray(allowed)) return `tools: ${named(allowed)}`;
  if (code === 'ERR_ENGAGEMENT_REQUIRED' && Array.isArray(engagements)) {
    return `the same with run.engagement, one of ${named(engagements)}`;
  }
  return undefined;
}

function named(list: readonly unknown[]): string {
  if (list.length === 0) return 'none';
  const shown = list.slice(0, MAX_NAMED).map(String).join(', ');
  return list.length > MAX_NAMED ? `${shown} and ${list.length - MAX_NAMED} more` : shown;
}
