import { ENGAGEMENT_READS } from './engagement-reads.ts';
import { PLAN_READS } from './plan-reads.ts';
import { APPROVAL_READS } from './approval-reads.ts';
import { BUDGET_READS } from './budget-reads.ts';
import { KILL_READS } from './kill-reads.ts';
import { AUDIT_READS } from './audit-reads.ts';
import { FINDING_READS } from './finding-reads.ts';
import { KEY_READS } from './key-reads.ts';
import { OUTPUT_READS } from './output-reads.ts';
import { RUN_READS } from './run-reads.ts';
import { UPKEEP } from './upkeep.ts';

/** Every question to the file. */
export const READS = {
  ...RUN_READS,
  ...FINDING_READS,
  ...OUTPUT_READS,
  ...KEY_READS,
  ...ENGAGEMENT_READS,
  ...PLAN_READS,
  ...APPROVAL_READS,
  ...BUDGET_READS,
  ...KILL_READS,
  ...AUDIT_READS,
  ...UPKEEP,
};
