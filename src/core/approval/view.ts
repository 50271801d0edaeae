import type { Approval } from '../../../schemas/approval.ts';
import type { Run } from '../../../schemas/run-record.ts';
import type { Masker } from '../redaction/redactor.ts';
import type { StoredApproval } from './types.ts';

/** A request with the run that waits for it. */
export interface Asked {
  readonly request: StoredApproval;
  readonly run: Run;
}

/** Addresses of one name that are shown; those of a network stand in its own text. */
const MAX_ADDRESSES = 32;

/** A request as people see it, secrets masked. `isLate`: its time is over, whatever the store says yet. */
export function viewOf({ request, run }: Asked, mask: Masker, isLate: boolean): Approval {
  return {
    runId: run.runId,
    state: stateOf({ request, run }, isLate),
    tool: run.tool,
    requester: { id: request.requester.id, name: request.requester.name },
    engagement: request.engagement,
    risk: run.risk,
    digest: request.digest,
    argv: run.argv.map((argument) => mask.text(argument)),
    targets: run.targets.map((target) => targetText(target, mask)),
    quorum: request.quorum,
    decisions: request.decisions.map((decision) => ({ ...decision, reason: mask.text(decision.reason) })),
    requestedAt: new Date(request.requestedAt).toISOString(),
    expiresAt: new Date(request.expiresAt).toISOString(),
  };
}

/** How a request stands: a run that waits no more needs nobody's consent, however it came to that. */
export function stateOf({ request, run }: Asked, isLate: boolean): Approval['state'] {
  if (request.outcome !== null) return request.outcome;
  if (isLate) return 'expired';
  return run.state === 'awaiting_approval' ? 'pending' : 'withdrawn';
}

/** Who consents has to see what a name stands for at this moment. */
function targetText({ canonical, addresses }: Run['targets'][number], mask: Masker): string {
  const name = mask.text(canonical);
  if (addresses.length === 0 || (addresses.length === 1 && addresses[0] === canonical)) return name;
  const rest = addresses.length - MAX_ADDRESSES;
  return `${name} [${addresses.slice(0, MAX_ADDRESSES).join(', ')}${rest > 0 ? `, and ${rest} more` : ''}]`;
}
