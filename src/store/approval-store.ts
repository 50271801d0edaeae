import type { ApprovalStore } from '../core/approval/types.ts';
import type { StoreParts } from './store-parts.ts';

/** Requests for consent and what people decided. A request is added by `RunStore.create`, with its run. */
export function createApprovalStore({ writer, reader }: StoreParts): ApprovalStore {
  return {
    get: (runId) => reader.call('getApproval', { runId }),
    pending: () => reader.call('pendingApprovals', undefined),
    decide: (runId, digest, decision) => writer.call('decideApproval', { runId, digest, decision }),
    close: (runId, outcome) => writer.call('closeApproval', { runId, outcome }),
  };
}
