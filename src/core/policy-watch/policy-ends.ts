import type { EndableRuns } from '../kill/types.ts';
import type { Log } from '../log.ts';

/** The live runs, each end of which is logged once, however often a judge repeats itself. */
export function createPolicyEnds({ runs, log }: { readonly runs: EndableRuns; readonly log: Log }): EndableRuns {
  const told = new Set<string>();
  return {
    subjects: () => runs.subjects(),
    endWhere(judge) {
      const live = new Set(runs.subjects().map(({ runId }) => runId));
      for (const runId of told) if (!live.has(runId)) told.delete(runId);
      return runs.endWhere((subject) => {
        const why = judge(subject);
        const { runId, tool, engagement, owner } = subject;
        if (why === undefined || told.has(runId)) return why;
        told.add(runId);
        log.warn('policy.ended_run', { runId, tool, engagement, principal: owner, code: why.code });
        return why;
      });
    },
  };
}
