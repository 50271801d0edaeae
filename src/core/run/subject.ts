import type { Plan } from '../plan/plan.ts';
import type { Journal } from './journal.ts';
import type { LiveSubject } from './live-runs.ts';

/** What the policy judges a run by: the record is the truth, the plan knows the addresses. */
export function subjectOf(journal: Journal, plan: Plan | undefined): () => LiveSubject {
  return () => {
    const { runId, owner, tool, engagement, risk } = journal.run();
    const claims = plan?.tool.definition.targets(plan.input);
    return { runId, owner, tool, engagement: engagement ?? '', risk, pinned: plan?.pinned, claims };
  };
}
