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
  const { planned, journal } = life;
  // What waited, for room or for people, is planned again: a name can have been pointed elsewhere meanwhile.
  const hasWaited = life.queuedMs > 0 || life.admitted === undefined;
  let plan = hasWaited ? undefined : planned.plan;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    plan = await currentPlan(engine, { plan, source: life.source }).catch((thrown: unknown) =>
      notStarted(journal, thrown),
    );
    planned.plan = plan;
    const reservation = await engine.budgets
      .reserve(demandOf(plan, journal.runId))
      .catch((thrown: unknown) => notStarted(journal, thrown));
    try {
      await writeStart(engine, life, plan);
      if (isCurrent(engine, plan)) return { plan, reservation };
    } catch (thrown) {
      await reservation.settle(NOTHING_SPENT);
      return notStarted(journal, thrown);
    }
    await reservation.settle(NOTHING_SPENT);
    plan = undefined;
  }
  const busy = new SallyportError('ERR_TOOL_BUSY', 'The policy keeps changing; try again.', { retryAfterMs: 1000 });
  return notStarted(journal, busy);
}

/** The start may have been written before the last look refused it: the record must not claim a process. */
async function notStarted(journal: Life['journal'], thrown: unknown): Promise<never> {
  // What the store cannot take now is a wrong time in the record, and no reason to hide why nothing ran.
  await journal.amend({ startedAt: null }).catch(() => undefined);
  throw thrown;
}

async function writeStart(engine: EngineParts, { journal, request }: Life, plan: Plan): Promise<void> {
  const planned = plannedFields(plan, engine.text);
  await engine.audit.append(runEvent('run.started', { ...journal.run(), ...planned, state: 'running' }, request));
  // In a later round the record says what runs now, not what was planned first.
  if (journal.run().state !== 'queued') return journal.amend(planned);
  const startedAt = new Date(engine.clock.now());
  const queuedMs = Math.max(0, startedAt.getTime() - Date.parse(journal.run().createdAt));
  await journal.start(
    { startedAt: startedAt.toISOString(), queuedMs, ...planned },
    { clean: (text, maxLength) => engine.text.cleanField(text, maxLength), mask: maskOf(engine.text, plan) },
  );
}

/** What a run has taken of its budgets: nothing only when no process ran, and as much as was reserved where nobody knows. */
export function spentOf({ timeoutMs }: Plan, executed: Executed | undefined): BudgetSpent {
  // Attack: a target that makes a parser throw would scan for nothing.
  if (executed === undefined) return { runMs: timeoutMs };
  if (!executed.hasRun) return NOTHING_SPENT;
  return { runMs: executed.patch.durationMs ?? timeoutMs, ...executed.spent };
}
