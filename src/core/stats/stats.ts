import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { OUTCOMES, type Outcome } from '../../../schemas/run.ts';
import type { ToolStats } from '../../../schemas/stats.ts';

/** Counts and durations of one process life, per tool. Durations are in HDR histograms: no sample is dropped or favoured. */
export interface Stats {
  /** `durationMs` is left out for calls that never had a process. */
  record(tool: string, outcome: Outcome, durationMs?: number): void;
  report(tool: string): ToolStats;
}

/** Makes empty statistics. */
export function createStats(): Stats {
  const perTool = new Map<string, { counts: Record<Outcome, number>; durations: RecordableHistogram }>();
  const of = (tool: string) => {
    const known = perTool.get(tool);
    if (known !== undefined) return known;
    const counts = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
    const made = { counts, durations: createHistogram({ lowest: 1, highest: 86_400_000, figures: 3 }) };
    perTool.set(tool, made);
    return made;
  };
  return {
    record(tool, outcome, durationMs) {
      const entry = of(tool);
      entry.counts[outcome] += 1;
      if (durationMs !== undefined) entry.durations.record(Math.max(1, Math.round(durationMs)));
    },
    report(tool) {
      const { counts, durations } = of(tool);
      const ended = counts.succeeded + counts.failed + counts.timed_out;
      const percentile = (p: number) => (durations.count === 0 ? null : durations.percentile(p));
      return {
        tool,
        counts: { ...counts },
        // Refusals, rejections and cancellations say nothing about the tool, so they do not count here.
        successRate: ended === 0 ? null : counts.succeeded / ended,
        durationMs: { count: durations.count, p50: percentile(50), p95: percentile(95), p99: percentile(99) },
      };
    },
  };
}
