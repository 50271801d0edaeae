import type { PlanView, TraceEntry } from '../../../schemas/plan.ts';
import type { Masker } from '../redaction/redactor.ts';
import type { RunText } from '../run/conclusion.ts';
import { plannedFields } from '../run/record.ts';
import type { ToolEstimate } from '../tool/definition.ts';
import type { Plan } from './plan.ts';

/** What a view says of a plan by itself: what would run, on whom, and what it takes. */
export type PlannedView = Pick<
  PlanView,
  'engagement' | 'argv' | 'targets' | 'size' | 'estimate' | 'risk' | 'degraded' | 'timeoutMs' | 'approval'
>;

/** Shows a plan with the secrets of its call masked, exactly as the record of its run will. */
export function plannedView(plan: Plan, text: RunText): PlannedView {
  const { engagement, pinned, approval, risk, raises } = plan;
  const { argv, targets, degraded, timeoutMs } = plannedFields(plan, text);
  const { addresses, ports, probes } = pinned.size;
  return {
    engagement: { id: engagement.id, version: engagement.version },
    argv,
    targets: targets.map((target, at) => ({
      ...target,
      addressCount: (pinned.list[at]?.addressCount ?? 0n).toString(),
    })),
    size: { addresses: addresses.toString(), ports, probes: probes.toString() },
    ...estimateView(plan.estimate),
    risk: {
      level: risk,
      ceiling: engagement.document.risk,
      raisedBy: raises.map(({ option, risk: raised, why }) => ({ option, risk: raised, why })),
    },
    ...(approval === undefined
      ? {}
      : {
          approval: {
            from: approval.from,
            quorum: approval.quorum,
            ttlMinutes: Math.ceil(approval.ttlMs / 60_000),
            selfConfirm: approval.selfConfirm,
          },
        }),
    degraded,
    timeoutMs,
  };
}

/** Absent where nobody knows what the call takes: JSON has no infinity. */
function estimateView(estimate: ToolEstimate): Pick<PlanView, 'estimate'> {
  const { probes, mostProbes, packetsPerSecond, durationMs, accounts } = estimate;
  if (![probes, mostProbes ?? 0, packetsPerSecond, durationMs].every((number) => Number.isFinite(number))) return {};
  const guesses = (accounts ?? []).map((account) => account.guesses);
  return {
    estimate: {
      probes,
      ...(mostProbes === undefined ? {} : { mostProbes }),
      packetsPerSecond,
      durationMs,
      ...(guesses.length === 0 ? {} : { guesses: guesses.reduce((most, each) => Math.max(most, each), 0) }),
    },
  };
}

/** The view without what the reader's own runs found: a target may carry a password that another run guessed. */
export function maskView(view: PlanView, mask: Masker): PlanView {
  const { refusal, argv, targets } = view;
  return {
    ...view,
    ...(refusal === undefined ? {} : { refusal: maskRefusal(refusal, (text) => mask.text(text)) }),
    ...(argv === undefined ? {} : { argv: argv.map((argument) => mask.text(argument)) }),
    ...(targets === undefined
      ? {}
      : {
          targets: targets.map((target) => ({
            ...target,
            given: mask.text(target.given),
            canonical: mask.text(target.canonical),
          })),
        }),
    rules: maskTrace(view.rules, (text) => mask.text(text)),
  };
}

type MaskText = (text: string) => string;

/** Masks what may quote the caller; rule ids, codes and fields are ours. */
export function maskTrace(rules: readonly TraceEntry[], mask: MaskText): TraceEntry[] {
  return rules.map((entry) => (entry.datum === undefined ? entry : { ...entry, datum: mask(entry.datum) }));
}

/** The same for a refusal. */
export function maskRefusal(refusal: NonNullable<PlanView['refusal']>, mask: MaskText): typeof refusal {
  const { message, instead } = refusal;
  return { ...refusal, message: mask(message), ...(instead === undefined ? {} : { instead: mask(instead) }) };
}
