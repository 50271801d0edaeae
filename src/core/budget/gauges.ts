import type { BudgetLeft } from '../../../schemas/scope-view.ts';
import type { Engagement } from '../engagement/types.ts';
import type { Recorder } from '../metrics/table.ts';

/** Tells the metrics what is left. */
export interface BudgetGauges {
  /** Something was taken or given back: it is measured within the interval. */
  changed(engagement: Engagement): void;
  /** Measures everything now: what has aged meanwhile, too. */
  measure(): void;
  close(): void;
}

/** What gauges are made with. */
export interface BudgetGaugesInput {
  readonly recorder: Pick<Recorder, 'gauge'>;
  readonly left: (engagement: Engagement) => readonly BudgetLeft[];
  /** Shortest time between two measurements. */
  readonly intervalMs: number;
}

/**
 * Makes gauges that are measured at most once in the interval. Attack: an agent that starts short runs one after the
 * other makes the gateway look for the least of all addresses at each start and each end.
 */
export function createBudgetGauges({ recorder, left, intervalMs }: BudgetGaugesInput): BudgetGauges {
  const known = new Map<string, Engagement>();
  const stale = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const measureOne = (engagement: Engagement): void => {
    for (const { budget, limit, left: rest } of left(engagement)) {
      const labels = { engagement: engagement.id, budget };
      recorder.gauge('sallyport_budget_left_ratio', labels, limit === 0 ? 0 : rest / limit);
    }
  };
  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
    stale.clear();
  };
  const measureStale = (): void => {
    const changed = [...stale].map((id) => known.get(id));
    stop();
    for (const engagement of changed) if (engagement !== undefined) measureOne(engagement);
  };
  return {
    changed: (engagement) => {
      known.set(engagement.id, engagement);
      stale.add(engagement.id);
      timer ??= setTimeout(measureStale, intervalMs).unref();
    },
    measure: () => {
      stop();
      for (const engagement of known.values()) measureOne(engagement);
    },
    close: stop,
  };
}
