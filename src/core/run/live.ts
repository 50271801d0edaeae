import type { RunResult } from '../../../schemas/run.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Admitted } from '../resilience/gate.ts';
import type { StoredJob } from '../store/types.ts';
import { account, accountFailure } from './account.ts';
import { currentPlan, isCurrent, type PlanSource } from './current-plan.ts';
import { endStored } from './end-stored.ts';
import type { Engine } from './engine.ts';
import { type Executed, executePlan } from './execute.ts';
import { type Journal, MORE_THAN_KEPT, type RunEnd } from './journal.ts';
import type { LiveRun } from './live-runs.ts';
import type { OwnedSecrets } from './owned-secrets.ts';
import { maskOf } from './plan-mask.ts';
import { cutShort, plannedFields } from './record.ts';
import { stateOf } from './states.ts';
import type { CallRequest } from './types.ts';

/** A stored run with everything that it needs to live. */
export interface Life {
  readonly admitted: Admitted;
  /** Absent for a run that waited through a restart: it is planned when its turn comes. */
  readonly plan: Plan | undefined;
  readonly source: PlanSource;
  readonly secrets: OwnedSecrets;
  readonly journal: Journal;
  readonly job: StoredJob;
  readonly request: Pick<CallRequest, 'requestId' | 'onEvent'> & { readonly principal: { readonly id: string } };
}

/**
 * From the queue to the stored end. Resolves with the answer of a run that succeeded and rejects with everything else,
 * after it was stored. Never left unhandled.
 */
export function live(engine: Engine, run: LiveRun, life: Life): Promise<RunResult> {
  const ended = liveThrough(engine, run, life);
  ended.catch(() => undefined);
  return ended;
}

async function liveThrough(engine: Engine, run: LiveRun, life: Life): Promise<RunResult> {
  let executed: Executed | undefined;
  let error: SallyportError | undefined;
  let queuedMs = 0;
  try {
    await life.admitted.run(async (admission) => {
      ({ queuedMs } = admission);
      executed = await startAndExecute(engine, run, { ...life, queuedMs });
      // The circuit breaker hears of it by what is thrown.
      if (executed.error !== undefined) throw executed.error;
    });
    // What the answer refers to has to be there.
    await life.secrets.kept();
  } catch (thrown) {
    error = endedByUs(run, toSallyportError(thrown));
  }
  // The gateway stops, and nobody waits for it here: it keeps its place for the next start.
  if (error?.code === 'ERR_SHUTTING_DOWN' && run.isDetached() && life.journal.run().state === 'queued') throw error;
  return conclude(engine, life, { executed, error });
}

/** Cancelled without anybody having cancelled it: the gateway stops. The record must not say that a caller did it. */
function endedByUs(run: LiveRun, error: SallyportError): SallyportError {
  if (error.code !== 'ERR_RUN_CANCELLED' || run.signal.aborted) return error;
  return new SallyportError('ERR_SHUTTING_DOWN', 'The gateway stopped and ended the run. What was found is kept.', {
    ...(error.details === undefined ? {} : { details: error.details }),
    cause: error,
  });
}

async function startAndExecute(engine: Engine, run: LiveRun, life: Life & { queuedMs: number }): Promise<Executed> {
  const { journal, source, request, queuedMs } = life;
  if (queuedMs > 0 || run.isDetached()) await requireOwner(engine, request.principal.id);
  let plan = await currentPlan(engine, { plan: queuedMs > 0 ? undefined : life.plan, source });
  const { definition } = plan.tool;
  const mask = maskOf(engine.text, plan);
  const startedAt = new Date(engine.clock.now());
  await journal.start(
    {
      startedAt: startedAt.toISOString(),
      queuedMs: Math.max(0, startedAt.getTime() - Date.parse(journal.run().createdAt)),
      ...plannedFields(plan, engine.text),
    },
    { clean: (text, maxLength) => engine.text.cleanField(text, maxLength), mask },
  );
  // The write took its time: nothing may be awaited between the last look and the start.
  if (!isCurrent(engine, plan)) plan = await currentPlan(engine, { plan: undefined, source });
  engine.log.info('run.started', {
    runId: run.runId,
    tool: definition.name,
    requestId: request.requestId,
    principal: request.principal.id,
  });
  const job = { runId: run.runId, plan, queuedMs };
  const onEvent: Parameters<typeof executePlan>[1]['onEvent'] = (event) => {
    journal.note(event);
    request.onEvent?.(event);
  };
  const executed = await executePlan(engine, { ...job, signal: run.signal, timeouts: engine.timeouts, onEvent });
  return { ...executed, patch: { ...executed.patch, ...plannedFields(plan, engine.text) } };
}

/**
 * Rejects with ERR_AUTH_FORBIDDEN when the owner of a run may not run tools any more. Attack: a leaked key queues a
 * thousand scans, and they start for days after it was revoked. Who did not wait was authenticated just now.
 */
export async function requireOwner(engine: Engine, owner: string): Promise<void> {
  const principal = await engine.principal(owner);
  if (principal?.scopes.has('runs:execute') === true) return;
  throw new SallyportError('ERR_AUTH_FORBIDDEN', 'The key of the owner may no longer run tools.');
}

interface Outcome {
  readonly executed: Executed | undefined;
  readonly error: SallyportError | undefined;
}

async function conclude(engine: Engine, life: Life, { executed, error }: Outcome): Promise<RunResult> {
  const { journal, request, source } = life;
  await endStored(engine, journal, endOf(engine, { executed, error }));
  const result =
    executed?.result && (journal.isOverLimit() ? cutShort(executed.result, MORE_THAN_KEPT) : executed.result);
  if (error === undefined && result !== undefined) {
    account(engine, { tool: source.name, result, code: 'OK', findings: journal.run().findings });
    return result;
  }
  const thrown = error ?? new SallyportError('ERR_INTERNAL', 'The run ended without an answer.');
  accountFailure(engine, {
    tool: source.name,
    error: thrown,
    request,
    runId: journal.runId,
    findings: journal.run().findings,
  });
  throw thrown;
}

function endOf(engine: Engine, { executed, error }: Outcome): RunEnd {
  const endedAt = new Date(engine.clock.now()).toISOString();
  const told = error === undefined ? null : { code: error.code, message: error.message };
  if (executed === undefined) {
    return { state: error === undefined ? 'failed' : stateOf(error), patch: { endedAt, error: told } };
  }
  const { result, findings, coverage, patch } = executed;
  return {
    state: error === undefined ? 'succeeded' : stateOf(error),
    patch: {
      ...patch,
      endedAt,
      error: told,
      complete: result?.complete ?? false,
      ...(result === undefined ? {} : { degraded: result.degraded }),
    },
    ...(result === undefined ? {} : { result }),
    coverage,
    ...(findings === undefined ? {} : { findings, isWhole: result?.complete === true }),
  };
}
