import { SEVERITIES, type Severity } from '../../../schemas/finding.ts';

/** Findings of one run that are kept; a target that invents more must not fill the store. */
export const MAX_FINDINGS_OF_RUN = 25_000;

/** What counts of an observation. */
export interface Counted {
  readonly fingerprint: string;
  readonly draft: { readonly severity: Severity };
}

/** Counts the distinct findings of one run while it goes on. */
export interface Tally {
  /**
   * `new`: not seen before in this run. `again`: counted already; its severity replaces the earlier one, as in the store.
   * `over_limit`: not counted, because the run has as many as it may have: it is not to be stored.
   */
  add(observation: Counted): 'new' | 'again' | 'over_limit';
  counts(): TallyCounts;
}

/** The counts of a run's record, and whether findings were left out. */
export interface TallyCounts {
  readonly total: number;
  readonly bySeverity: Record<Severity, number>;
  readonly isOverLimit: boolean;
}

/** Makes the tally of one run. Its memory is bounded by `limit` fingerprints. */
export function createTally(limit: number = MAX_FINDINGS_OF_RUN): Tally {
  const severities = new Map<string, Severity>();
  const bySeverity = noFindings();
  let isOverLimit = false;
  return {
    add({ fingerprint, draft: { severity } }) {
      const earlier = severities.get(fingerprint);
      if (earlier === undefined && severities.size >= limit) {
        isOverLimit = true;
        return 'over_limit';
      }
      if (earlier !== undefined) bySeverity[earlier] -= 1;
      severities.set(fingerprint, severity);
      bySeverity[severity] += 1;
      return earlier === undefined ? 'new' : 'again';
    },
    counts: () => ({ total: severities.size, bySeverity: { ...bySeverity }, isOverLimit }),
  };
}

function noFindings(): Record<Severity, number> {
  return Object.fromEntries(SEVERITIES.map((severity) => [severity, 0])) as Record<Severity, number>;
}
