import { demandOf } from '../budget/demand.ts';
import type { BudgetSpent, Reservation } from '../budget/types.ts';
import { SallyportError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { runEvent } from './audited.ts';
import { currentPlan, isCurrent } from './current-plan.ts';
import type { EngineParts } from './engine-parts.ts';
import type { Executed } from './execute.ts';
import type { Life } from './live.ts';
import { maskOf } from './plan-mask.ts';
import { plannedFields } from './record.ts';

/** A run that may start at this moment; nothing may be awaited before it does. */
export interface Ready {
  readonly plan: Plan;
  /** Has to be settled, whatever happens. */
  readonly reservation: Reservation;
}

/** Nothing of what was reserved was taken. */
const NOTHING_SPENT: BudgetSpent = { runMs: 0, probes: 0, accounts: [] };
const MAX_ROUNDS = 5;

/**
 * The last look: a plan that is true now, its budgets taken, its start in the audit and in the store. What changes while
 * that is written makes another round. Throws with nothing taken.
 */
export async function makeReady(engine: EngineParts, life: Life & { readonly queuedMs: number }): Promise<Ready> {
  let plan = life.queuedMs > 0 ? undefined : life.plan;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    plan = await currentPlan(engine, { plan, source: life.source });
    const reservation = await engine.budgets.reserve(demandOf(plan, life.journal.runId));
    try {
      await writeStart(engine, life, plan);
      if (isCurrent(engine, plan)) return { plan, reservation };
    } catch (thrown) {
      await reservation.settle(NOTHING_SPENT);
      throw thrown;
    }
    await reservation.settle(NOTHING_SPENT);
    plan = undefined;
  }
  throw new SallyportError('ERR_TOOL_BUSY', 'The policy keeps changing; try again.', { retryAfterMs: 1000 });
}

async function writeStart(engine: EngineParts, { journal, request }: Life, plan: Plan): Promise<void> {
  const planned = plannedFields(plan, engine.text);
  await engine.audit.append(runEvent('run.started', { ...journal.run(), ...planned, state: 'running' }, request));
  if (journal.run().state !== 'queued') return;
  const startedAt = new Date(engine.clock.now());
  const queuedMs = Math.max(0, startedAt.getTime() - Date.parse(journal.run().createdAt));
  await journal.start(
    { startedAt: startedAt.toISOString(), queuedMs, ...planned },
    { clean: (text, maxLength) => engine.text.cleanField(text, maxLength), mask: maskOf(engine.text, plan) },
  );
}

/** What a run has taken of its budgets: nothing when no process ran, and as much as was reserved where nobody knows. */
export function spentOf(executed: Executed | undefined): BudgetSpent {
  if (executed?.result === undefined) return NOTHING_SPENT;
  return { runMs: executed.result.durationMs, ...executed.spent };
}
