import type { PlanView, TraceEntry } from '../../schemas/plan.ts';
import { oneLine } from './printable.ts';

const DECISIONS: Readonly<Record<PlanView['decision'], string>> = {
  allowed: 'allowed',
  needs_approval: 'allowed once other people approve',
  refused: 'REFUSED',
};
const MARKS: Readonly<Record<TraceEntry['outcome'], string>> = { passed: '✓', failed: '✗', not_reached: '·' };

/** A plan for a reader: the decision first, then what would run, then every rule. */
export function describePlan(plan: PlanView): readonly string[] {
  const lines = [`${plan.tool} ${DECISIONS[plan.decision]}`];
  const add = (name: string, text: string | undefined): void => {
    if (text !== undefined && text !== '') lines.push(`  ${name}: ${text}`);
  };
  const { refusal, engagement, risk, estimate, approval, size } = plan;
  add('why', refusal && `${refusal.code} (${refusal.rule}): ${refusal.message}`);
  add('allowed instead', refusal?.instead);
  add('try again in', refusal?.retryAfterMs === undefined ? undefined : `${Math.ceil(refusal.retryAfterMs / 1000)} s`);
  add('would run', plan.argv && JSON.stringify(plan.argv));
  for (const target of plan.targets ?? []) add('target', targetOf(target));
  add('size', size && `${size.addresses} addresses, ${size.ports} ports, ${size.probes} in all`);
  add('estimate', estimateOf(plan.argv === undefined ? null : estimate));
  add('risk', risk && riskOf(risk));
  add('engagement', engagement && `${engagement.id}, version ${engagement.version}`);
  add('approval', approval && `${approval.quorum} from ${approval.from} up, within ${approval.ttlMinutes} min`);
  for (const sentence of plan.degraded) add('degraded', sentence);
  add('time limit', plan.timeoutMs === undefined ? undefined : `${plan.timeoutMs / 1000} s`);
  add('digest', plan.digest);
  add('plan', plan.planId === null ? undefined : `${plan.planId} until ${plan.expiresAt ?? ''}`);
  lines.push('  rules:', ...ruleLines(plan.rules));
  return lines.map(oneLine);
}

/** Whether an answer is a plan, as far as it is shown here: the gateway may be of another version. */
export function isPlan(body: unknown): body is PlanView {
  if (typeof body !== 'object' || body === null) return false;
  const { decision, tool, rules, degraded } = body as Partial<Record<keyof PlanView, unknown>>;
  return (
    typeof decision === 'string' &&
    Object.hasOwn(DECISIONS, decision) &&
    typeof tool === 'string' &&
    Array.isArray(rules) &&
    Array.isArray(degraded)
  );
}

function targetOf({ role, given, addresses, addressCount }: NonNullable<PlanView['targets']>[number]): string {
  const where = addresses.length === 0 ? 'asked about, not contacted' : addresses.join(', ');
  return `${role} ${given} → ${where}${addressCount === '1' || addressCount === '0' ? '' : ` (${addressCount} addresses)`}`;
}

/** Null: nothing was planned. */
function estimateOf(estimate: PlanView['estimate'] | null): string | undefined {
  if (estimate === null) return undefined;
  if (estimate === undefined) return 'nobody can say';
  const { probes, mostProbes, packetsPerSecond, durationMs, guesses } = estimate;
  const guessed = guesses === undefined ? '' : `, ${guesses} guesses at one account`;
  const takes =
    mostProbes === undefined || mostProbes === probes
      ? `${probes} ${nounFor(probes)}`
      : `about ${probes} ${nounFor(probes)}, at most ${mostProbes}`;
  return `${takes}; at most ${packetsPerSecond} per second, about ${(durationMs / 1000).toFixed(1)} s${guessed}`;
}

function nounFor(probes: number): string {
  return probes === 1 ? 'probe' : 'probes';
}

function riskOf({ level, ceiling, raisedBy }: NonNullable<PlanView['risk']>): string {
  const raised = raisedBy.map(({ option, why }) => `${option}: ${why}`);
  return `${level} of at most ${ceiling}${raised.length === 0 ? '' : ` (${raised.join('; ')})`}`;
}

/** Rules that were never asked say nothing of the call but how many they are. */
function ruleLines(rules: readonly TraceEntry[]): readonly string[] {
  const asked = rules.filter(({ outcome }) => outcome !== 'not_reached');
  const unreached = rules.length - asked.length;
  if (unreached === 0) return asked.map(ruleLine);
  return [
    ...asked.map(ruleLine),
    `    ${MARKS.not_reached} ${unreached} ${unreached === 1 ? 'rule' : 'rules'} not reached`,
  ];
}

function ruleLine({ rule, outcome, field, datum }: TraceEntry): string {
  const where = field === undefined ? '' : ` [${field}]`;
  return `    ${MARKS[outcome]} ${rule}${where}${datum === undefined ? '' : `  ${datum}`}`;
}
