import type { Journal } from './journal.ts';
import type { Planned } from './live.ts';
import type { LiveSubject } from './live-runs.ts';

/** What the policy judges a run by: the record is the truth, the newest plan knows the addresses. */
export function subjectOf(journal: Journal, planned: Planned): () => LiveSubject {
  return () => {
    const { plan } = planned;
    const { runId, owner, tool, engagement, risk } = journal.run();
    const claims = plan?.tool.definition.targets(plan.input);
    return { runId, owner, tool, engagement: engagement ?? '', risk, pinned: plan?.pinned, claims };
  };
}
