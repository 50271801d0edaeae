import type { FindingStore } from '../core/store/types.ts';
import type { StoreParts } from './store-parts.ts';

/** Findings over all runs and of single ones. */
export function createFindingStore({ reader }: StoreParts): FindingStore {
  return {
    list: (query) => reader.call('listFindings', query),
    ofRun: (runId, { limit, after }) => reader.call('findingsOfRun', { runId, limit, after }),
    byFingerprint: (runId, { limit, after }) => reader.call('findingsByFingerprint', { runId, limit, after }),
  };
}
