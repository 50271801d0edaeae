import type { Run } from '../../schemas/run-record.ts';
import { MAX_STATUS_WAIT_MS } from '../../schemas/run-tool.ts';
import type { Principal } from '../core/auth/types.ts';
import type { RunHistory } from '../core/run/types.ts';
import { linesOf } from './finding-view.ts';
import type { FindingsBrief } from './run-answer.ts';
import { isGoingOn } from './run-wait.ts';

const MOST_IMPORTANT = 30;

/** What to call after an answer about a run, in so far as the key may. */
export function nextOf(run: Run, { scopes }: Principal): string {
  const mayRead = scopes.has('runs:read');
  if (run.state === 'awaiting_approval') return waitsForPeople(run, mayRead);
  if (isGoingOn(run))
    return mayRead
      ? `Call run_status with this runId and waitMs ${MAX_STATUS_WAIT_MS} until it has ended, then run_result.`
      : 'This key does not hold the scope runs:read: only the operator can show how it ends.';
  const rest = [
    ...(mayRead ? ['run_result (path, offset)'] : []),
    ...(scopes.has('findings:read') ? ['run_findings'] : []),
  ];
  return rest.length === 0 ? 'This key may not read more of it.' : `All of it: ${rest.join(' or ')} with this runId.`;
}

/** Attack: an agent that waits starts the same run again and again until somebody says yes. */
function waitsForPeople({ approval }: Run, mayRead: boolean): string {
  const given = approval === null ? '' : ` (${approval.approvals} of ${approval.quorum}, until ${approval.expiresAt})`;
  const how = mayRead ? 'Call run_status with this runId later' : 'This key may not follow it';
  return `It waits for another person to approve it${given}: tell the user, and do not start it again. ${how}.`;
}

/** How many findings a run has, with the most important ones. Throws ERR_STORE_UNAVAILABLE. */
export async function briefOf(history: RunHistory, who: Principal, run: Run): Promise<FindingsBrief> {
  const { total, bySeverity } = run.findings;
  if (total === 0) return { total, bySeverity, lines: [] };
  // The store gives the worst first, so one page holds the most important ones.
  const { findings } = await history.findings(who, run.runId, { limit: MOST_IMPORTANT });
  return { total, bySeverity, lines: linesOf(findings, MOST_IMPORTANT) };
}
