import type { PlanView } from '../../../schemas/plan.ts';
import type { AuditEvent } from '../audit/types.ts';
import type { SallyportError } from '../errors.ts';
import { askedOf } from './rules.ts';

/** Who asked, and in which request. */
export interface PlanAsker {
  readonly principal: string;
  readonly requestId: string;
}

/** A decision about a call that is not run yet, as it was answered: masked. */
export function planEvent(view: PlanView, { principal, requestId }: PlanAsker): AuditEvent {
  const { tool, decision, planId, digest, refusal, engagement, argv, targets, risk, timeoutMs, expiresAt } = view;
  return {
    type: decision === 'refused' ? 'plan.refused' : 'plan.made',
    principal,
    engagement: engagement?.id,
    requestId,
    digest,
    data: {
      tool,
      decision,
      ...(planId === null ? {} : { planId, expiresAt }),
      ...(refusal === undefined ? {} : { code: refusal.code, rule: refusal.rule, message: refusal.message }),
      ...(risk === undefined ? {} : { risk: risk.level, ceiling: risk.ceiling }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      rules: askedOf(view.rules),
      ...(argv === undefined ? {} : { argv }),
      ...(targets === undefined ? {} : { targets }),
    },
  };
}

/** A question that got no decision. The error is masked before. */
export function planFailedEvent(
  { code, message, details }: SallyportError,
  { tool, principal, requestId }: PlanAsker & { readonly tool: string },
): AuditEvent {
  const rule = typeof details?.['rule'] === 'string' ? details['rule'] : code;
  return { type: 'plan.refused', principal, requestId, data: { tool, decision: 'failed', code, rule, message } };
}
