import { ENGAGEMENT_WRITES } from './engagement-writes.ts';
import { PLAN_WRITES } from './plan-writes.ts';
import { APPROVAL_WRITES } from './approval-writes.ts';
import { BUDGET_WRITES } from './budget-writes.ts';
import { KILL_WRITES } from './kill-writes.ts';
import { AUDIT_WRITES } from './audit-writes.ts';
import type { Connection } from './connection.ts';
import { KEY_WRITES } from './key-writes.ts';
import { OUTPUT_WRITES } from './output-writes.ts';
import { RUN_WRITES } from './run-writes.ts';

function probe(connection: Connection): void {
  connection.run("UPDATE meta SET value = value + 1 WHERE name = 'probed'");
}

/** Everything that changes the file: each one unit of a transaction, whole or not at all. */
export const WRITES = {
  ...RUN_WRITES,
  ...OUTPUT_WRITES,
  ...KEY_WRITES,
  ...ENGAGEMENT_WRITES,
  ...PLAN_WRITES,
  ...APPROVAL_WRITES,
  ...BUDGET_WRITES,
  ...KILL_WRITES,
  ...AUDIT_WRITES,
  probe,
};
