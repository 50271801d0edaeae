import type { Approval } from '../../schemas/approval.ts';
import { alignColumns, fit, oneLine } from './printable.ts';

/** A request for a reader: everything that is consented to, then who decided what. */
export function describeApproval(approval: Approval): readonly string[] {
  const { runId, state, tool, risk, engagement, requester, argv, targets, quorum, decisions } = approval;
  const given = decisions.filter(({ decision }) => decision === 'approved').length;
  const lines = [
    `${tool} ${state}, ${given} of ${quorum} approval${quorum === 1 ? '' : 's'} (run ${runId})`,
    `  asked by: ${requester.name} (${requester.id}) at ${approval.requestedAt}`,
    `  until: ${approval.expiresAt}`,
    `  engagement: ${engagement}, risk ${risk}`,
    ...targets.map((target) => `  target: ${target}`),
    `  runs: ${JSON.stringify(argv)}`,
    `  digest: ${approval.digest}`,
    ...decisions.map(
      ({ decision, name, by, at, via, reason }) => `  ${decision}: ${name} (${by}) at ${at} by ${via}: ${reason}`,
    ),
  ];
  return lines.map(oneLine);
}

/** A table of what waits, as wide as the terminal. */
export function tableOfApprovals(approvals: readonly Approval[], columns: number): readonly string[] {
  const rows = approvals.map((approval) => [
    approval.runId,
    oneLine(approval.tool),
    approval.risk,
    `${approval.expiresAt.slice(0, 19)}Z`,
    `${oneLine(approval.requester.name)}: ${approval.targets.map(oneLine).join(', ')}`,
  ]);
  return alignColumns([['RUN', 'TOOL', 'RISK', 'UNTIL', 'WHO AND WHAT'], ...rows]).map((line) => fit(line, columns));
}

/** Tells a request from an answer that is none. */
export function isApproval(body: unknown): body is Approval {
  if (typeof body !== 'object' || body === null) return false;
  const { runId, tool, risk, digest, expiresAt, requester, ...lists } = body as Record<string, unknown>;
  return (
    [runId, tool, risk, digest, expiresAt].every((text) => typeof text === 'string') &&
    typeof requester === 'object' &&
    ['argv', 'targets', 'decisions'].every((name) => Array.isArray(lists[name]))
  );
}
