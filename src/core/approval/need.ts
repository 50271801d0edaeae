import { isAbove, type Risk } from '../../../schemas/risk.ts';
import type { Engagement } from '../engagement/types.ts';
import type { ApprovalNeed } from './types.ts';

const DEFAULT_TTL_MINUTES = 60;
const MINUTE_MS = 60_000;

/** The consent that this risk needs under this engagement; undefined when none. */
export function approvalNeed({ document }: Pick<Engagement, 'document'>, risk: Risk): ApprovalNeed | undefined {
  const { approvals } = document;
  if (approvals === undefined || isAbove(approvals.from, risk)) return undefined;
  const { from, quorum = 1, ttlMinutes = DEFAULT_TTL_MINUTES, approvers, selfConfirm = false } = approvals;
  const need = { from, quorum, ttlMs: ttlMinutes * MINUTE_MS, selfConfirm };
  return approvers === undefined ? need : { ...need, approvers };
}
