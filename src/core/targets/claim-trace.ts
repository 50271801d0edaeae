import { NO_TRACE, type RuleTrace } from '../plan/trace.ts';
import type { Tell } from './judge.ts';
import { type Refusal, refusalError, type TargetRule } from './rules.ts';

/** What is written down of the rules that were asked about the claims of one call: each rule once for a role. */
export interface ClaimTrace {
  /** Who hears of the rules that let a claim of this role pass; undefined when nobody listens. */
  readonly tell: (role: string) => Tell | undefined;
  /** Throws the refusal; what passed of the same rule for the same role is then not told. */
  readonly refuseIf: (refusal: Refusal | undefined, role: string) => void;
  /** Hands everything to the trace, in the order in which it was first asked. */
  readonly flush: () => void;
}

/** Most data of one rule that are written out: a call may name thousands of addresses. */
const MAX_DATA = 3;

interface Noted {
  readonly rule: TargetRule;
  readonly role: string;
  readonly data: Set<string>;
  more: number;
}

/** Collects for a trace; without one nothing is made at all. */
export function createClaimTrace(trace: RuleTrace | undefined): ClaimTrace {
  if (trace === undefined || trace === NO_TRACE) return SILENT;
  const noted = new Map<string, Noted>();
  const note = (role: string, rule: TargetRule, datum: () => string): void => {
    const key = `${role} ${rule}`;
    const entry = noted.get(key) ?? { rule, role, data: new Set<string>(), more: 0 };
    noted.set(key, entry);
    if (entry.data.size < MAX_DATA) entry.data.add(datum());
    else entry.more += 1;
  };
  return {
    tell: (role) => (rule, datum) => note(role, rule, datum),
    refuseIf: (refusal, role) => {
      if (refusal === undefined) return;
      noted.delete(`${role} ${refusal.rule}`);
      throw refusalError(refusal, role);
    },
    flush: () => {
      for (const { rule, role, data, more } of noted.values()) {
        const shown = [...data].join('; ');
        trace.pass(rule, { field: role, datum: more === 0 ? shown : `${shown}; and ${more} more` });
      }
    },
  };
}

const SILENT: ClaimTrace = {
  tell: () => undefined,
  refuseIf: (refusal, role) => {
    if (refusal !== undefined) throw refusalError(refusal, role);
  },
  flush: () => undefined,
};
