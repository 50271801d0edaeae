import type { Plan } from '../plan/plan.ts';

/** Which targets let a tool run out of time lately, per tool. */
export interface TimeoutLedger {
  /**
   * Notes a timeout and says whether it counts against the tool. It does not when the same target did it before: one
   * hostile target that never ends its answer must not be able to open the circuit for everybody (a denial of service
   * by the scanned side). A tool without targets always counts.
   */
  counts(plan: Plan): boolean;
  /** The tool works: what was noted says nothing any more. */
  clear(tool: string): void;
}

const MAX_TARGETS = 256;

/** Makes an empty ledger. */
export function createTimeoutLedger(): TimeoutLedger {
  const perTool = new Map<string, Set<string>>();
  return {
    counts(plan) {
      const { name } = plan.tool.definition;
      const target = plan.pinned.list.flatMap(({ canonical, addresses }) => [canonical, ...addresses]).join(' ');
      if (target === '') return true;
      const seen = perTool.get(name) ?? new Set<string>();
      perTool.set(name, seen);
      if (seen.has(target)) return false;
      if (seen.size < MAX_TARGETS) seen.add(target);
      return true;
    },
    clear: (tool) => void perTool.delete(tool),
  };
}
