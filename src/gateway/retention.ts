import type { Config } from '../../schemas/config.ts';
import type { Audit } from '../core/audit/types.ts';
import type { DurableBudgets } from '../core/budget/types.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Planner } from '../core/plan/planner.ts';
import type { Recorder } from '../core/metrics/table.ts';
import type { Store } from '../core/store/types.ts';
import { pause } from './pause.ts';

const INTERVAL_MS = 300_000;
const RUNS_AT_ONCE = 500;

export interface RetentionParts {
  readonly store: Store;
  readonly audit: Pick<Audit, 'append'>;
  readonly planner: Pick<Planner, 'sweep'>;
  readonly budgets: Pick<DurableBudgets, 'upkeep'>;
  readonly config: () => Config;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Removes what is older than the operator wants it kept, at once and then from time to time, until the signal. */
export function startRetention(parts: RetentionParts): { readonly ended: Promise<void> } {
  return { ended: keepSweeping(parts) };
}

async function keepSweeping(parts: RetentionParts): Promise<void> {
  while (!parts.signal.aborted) {
    try {
      await sweepOnce(parts);
    } catch (err) {
      // A store that cannot be written says so in /health; the next round tries again.
      parts.log.error('store.failed', { err });
    }
    await pause(INTERVAL_MS, parts.signal);
  }
}

/** One round: raw output by age and size, whole runs by age. */
export async function sweepOnce(parts: RetentionParts): Promise<void> {
  const { store, clock, recorder, log, signal } = parts;
  const { keepMs, runMs, outputMs, outputBytes } = parts.config().runs.retention;
  const now = clock.now();
  await parts.planner.sweep();
  await parts.budgets.upkeep();
  const swept = await store.output.sweep({ before: now - outputMs, maxBytes: outputBytes });
  recorder.count('sallyport_output_swept_bytes_total', {}, swept.bytes);
  if (swept.runs.length > 0) log.info('output.swept', { runs: swept.runs.length, bytes: swept.bytes });
  if (runMs > 0) while (!signal.aborted && (await removeSome(parts, now - Math.max(runMs, keepMs)))) continue;
  recorder.gauge('sallyport_store_bytes', {}, await store.size());
}

/** Removes some runs that ended before; false when there were none. The list is by creation, so it is looked at again. */
async function removeSome({ store, audit, log }: RetentionParts, before: number): Promise<boolean> {
  let removed = 0;
  for (const runId of await store.runs.endedBefore(before, RUNS_AT_ONCE)) {
    const run = await store.runs.get(runId);
    if (run === undefined || Date.parse(run.endedAt ?? run.createdAt) >= before) continue;
    await audit.append({ type: 'run.removed', runId, data: { tool: run.tool, state: run.state, by: 'retention' } });
    if (!(await store.runs.remove(runId))) continue;
    removed += 1;
    log.info('run.removed', { runId, by: 'retention' });
  }
  return removed > 0;
}
