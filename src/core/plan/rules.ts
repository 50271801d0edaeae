import type { TraceEntry } from '../../../schemas/plan.ts';
import { BUDGET_RULES } from '../budget/rules.ts';
import { TARGET_RULES } from '../targets/rules.ts';

/** One thing that is decided of a call; it is not left before all its rules were asked. */
export interface PlanStage {
  readonly stage: string;
  readonly rules: readonly string[];
}

/** Every rule that a plan may meet, in the order of asking: the closed list behind its trace. */
export const PLAN_STAGES: readonly PlanStage[] = [
  { stage: 'tool', rules: ['tool.enabled', 'tool.available'] },
  { stage: 'engagement', rules: ['engagement.principal'] },
  { stage: 'kill switch', rules: ['kill.switch'] },
  {
    stage: 'window',
    rules: ['engagement.revoked', 'engagement.until', 'engagement.from', 'engagement.blackout', 'engagement.weekly'],
  },
  { stage: 'tools', rules: ['engagement.tools'] },
  { stage: 'risk', rules: ['risk.tool', 'risk.option'] },
  { stage: 'time', rules: ['limits.timeout'] },
  { stage: 'targets', rules: Object.keys(TARGET_RULES) },
  { stage: 'arguments', rules: ['target.tls-name', 'argv.grammar'] },
  { stage: 'budgets', rules: BUDGET_RULES.map(({ rule }) => rule) },
  { stage: 'approval', rules: ['approval.need'] },
];

/** The closed list of rule ids. */
export const PLAN_RULES: readonly string[] = PLAN_STAGES.flatMap(({ rules }) => rules);

/**
 * The whole trace in the order of the closed list: what was asked, each rule once for a field, and every other rule:
 * passed where the call has nothing that it judges, and not reached where a refusal came before it was asked. Nothing
 * stands behind the refusal but what was not reached.
 */
export function completeTrace(asked: readonly TraceEntry[]): TraceEntry[] {
  const entries = withoutRepeats(asked);
  const failed = entries.find(({ outcome }) => outcome === 'failed');
  const known = new Set(entries.map(({ rule }) => rule));
  // The stage in which it ended; a rule that is in no stage ended it where the last known one stands.
  const end = failed === undefined ? PLAN_STAGES.length : stageOf(failed.rule, entries);
  const rest = PLAN_STAGES.flatMap(({ rules }, at) =>
    rules.filter((rule) => !known.has(rule)).map((rule): TraceEntry => ({ rule, ...(at < end ? IDLE : NOT_REACHED) })),
  );
  const passed = [
    ...entries.filter((entry) => entry !== failed),
    ...rest.filter(({ outcome }) => outcome === 'passed'),
  ];
  const unreached = rest.filter(({ outcome }) => outcome === 'not_reached');
  return [...inOrder(passed), ...(failed === undefined ? [] : [failed]), ...inOrder(unreached)];
}

/** By the closed list; a rule that is not in it stays behind them, as it came. */
function inOrder(entries: readonly TraceEntry[]): readonly TraceEntry[] {
  return entries.toSorted((one, other) => placeOf(one) - placeOf(other));
}

function placeOf({ rule }: TraceEntry): number {
  const at = PLAN_RULES.indexOf(rule);
  return at < 0 ? PLAN_RULES.length : at;
}

const IDLE = { outcome: 'passed', datum: 'nothing of this call is judged by it' } as const;
const NOT_REACHED = { outcome: 'not_reached' } as const;

/** The rules that judged something of the call. */
export function askedOf(entries: readonly TraceEntry[]): TraceEntry[] {
  return entries.filter(({ outcome, datum }) => outcome !== 'not_reached' && datum !== IDLE.datum);
}

function stageOf(rule: string, entries: readonly TraceEntry[]): number {
  const at = PLAN_STAGES.findIndex(({ rules }) => rules.includes(rule));
  if (at >= 0) return at;
  return Math.max(0, ...entries.map((entry) => PLAN_STAGES.findIndex(({ rules }) => rules.includes(entry.rule))));
}

/** A rule that passed for one of two things with the same name and failed for the other has failed. */
function withoutRepeats(asked: readonly TraceEntry[]): TraceEntry[] {
  const entries = new Map<string, TraceEntry>();
  for (const entry of asked) {
    const key = `${entry.rule} ${entry.field ?? ''}`;
    const before = entries.get(key);
    if (before === undefined) entries.set(key, entry);
    else if (entry.outcome === 'failed') {
      entries.delete(key);
      entries.set(key, entry);
    } else entries.set(key, joined(before, entry));
  }
  return [...entries.values()];
}

function joined(one: TraceEntry, other: TraceEntry): TraceEntry {
  const data = [one.datum, other.datum].filter((datum) => datum !== undefined);
  return data.length === 0 ? one : { ...one, datum: [...new Set(data)].join('; ') };
}
