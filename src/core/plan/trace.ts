import type { TraceEntry } from '../../../schemas/plan.ts';
import { SallyportError } from '../errors.ts';

/** Writes down every rule that was asked, in order. A rule is asked at most once for a field. */
export interface RuleTrace {
  /** `datum`: what decided it, in our words; texts of callers quoted. */
  pass(rule: string, about?: { readonly field?: string; readonly datum?: string }): void;
}

/** The trace of a call whose plan nobody reads. */
export const NO_TRACE: RuleTrace = { pass: () => undefined };

/** Most entries that are kept of one plan. */
const MAX_ENTRIES = 500;

/** A trace that is kept. */
export interface KeptTrace extends RuleTrace {
  readonly entries: readonly TraceEntry[];
  /** Adds the rule that a refusal names in `details.rule`, with its message as the datum. */
  fail(thrown: unknown): void;
}

/** Makes an empty trace. */
export function createTrace(): KeptTrace {
  const entries: TraceEntry[] = [];
  const add = (entry: TraceEntry) => {
    if (entries.length < MAX_ENTRIES) entries.push(entry);
  };
  return {
    entries,
    pass: (rule, about = {}) => add({ rule, outcome: 'passed', ...about }),
    fail: (thrown) => {
      if (!(thrown instanceof SallyportError)) return;
      const { rule, field } = thrown.details ?? {};
      add({
        rule: typeof rule === 'string' ? rule : thrown.code,
        outcome: 'failed',
        ...(typeof field === 'string' ? { field } : {}),
        datum: thrown.message,
      });
    },
  };
}
