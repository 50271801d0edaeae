import type { RunResult } from '../../../schemas/run.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Principal } from '../auth/types.ts';
import type { Plan } from '../plan/plan.ts';
import type { Admitted } from '../resilience/gate.ts';
import type { StoredJob } from '../store/types.ts';
import { account, accountFailure } from './account.ts';
import { endedEvent } from './audited.ts';
import type { PlanSource } from './current-plan.ts';
import { endStored } from './end-stored.ts';
import type { Engine } from './engine.ts';
import { type Executed, executePlan } from './execute.ts';
import { type Journal, MORE_THAN_KEPT, type RunEnd } from './journal.ts';
import type { LiveRun } from './live-runs.ts';
import type { OwnedSecrets } from './owned-secrets.ts';
import { makeReady, spentOf } from './ready.ts';
import { cutShort, plannedFields } from './record.ts';
import { stateOf } from './states.ts';
import type { CallRequest } from './types.ts';

/** The newest plan of a run: it is made again when the run starts. */
export interface Planned {
  plan: Plan | undefined;
}

/** A stored run with everything that it needs to live. */
export interface Life {
  /** Absent for a run that needs consent: it takes its place when it has it. */
  readonly admitted: Admitted | undefined;
  /** The plan as it was made last; absent for a run that waited through a restart until its turn comes. */
  readonly planned: Planned;
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
  try {
    const admitted = life.admitted ?? (await consented(engine, run, life));
    await admitted.run(async ({ queuedMs }) => {
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
  const { state } = life.journal.run();
  const waits = state === 'queued' || state === 'awaiting_approval';
  if (error?.code === 'ERR_SHUTTING_DOWN' && run.isDetached() && waits) throw error;
  return conclude(engine, life, { executed: executed && judged(executed, error), error });
}

/** Waits for people, then for room. It was there before: the line may be full, but it may not be turned away. */
async function consented(engine: Engine, run: LiveRun, { journal, source }: Life): Promise<Admitted> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(new SallyportError('ERR_SHUTTING_DOWN', 'The gateway is stopping.'));
  engine.stopping.addEventListener('abort', stop, { once: true });
  if (engine.stopping.aborted) stop();
  try {
    await Promise.race([engine.approvals.wait(journal.run(), run.signal), stopped.promise]);
  } finally {
    engine.stopping.removeEventListener('abort', stop);
  }
  if (journal.run().state === 'awaiting_approval') await journal.consent();
  return engine.gate.admit(source.name, { signal: run.signal, owner: journal.run().owner, isReturning: true });
}

/** Ended without its caller having ended it: by the policy, or because the gateway stops. The record says which. */
function endedByUs(run: LiveRun, error: SallyportError): SallyportError {
  if (error.code !== 'ERR_RUN_CANCELLED') return error;
  const why = run.why();
  if (why === undefined && run.signal.aborted) return error;
  const { code, message, retryAfterMs, details } =
    why ?? new SallyportError('ERR_SHUTTING_DOWN', 'The gateway stopped and ended the run. What was found is kept.');
  const known = error.details?.['run'] as RunResult | undefined;
  const result = known === undefined || why === undefined ? known : policyEnded(known);
  return new SallyportError(code, message, {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    details: { ...details, ...(result === undefined ? {} : { run: result }) },
    cause: error,
  });
}

function policyEnded(result: RunResult): RunResult {
  return { ...result, outcome: 'ended_by_policy' };
}

/** The result that is stored says the same as the one that is told. */
function judged(executed: Executed, error: SallyportError | undefined): Executed {
  const told = error?.details?.['run'] as RunResult | undefined;
  return told === undefined ? executed : { ...executed, result: told };
}

async function startAndExecute(engine: Engine, run: LiveRun, life: Life & { queuedMs: number }): Promise<Executed> {
  const { journal, request, queuedMs } = life;
  if (queuedMs > 0 || run.isDetached()) await requireOwner(engine, request.principal.id);
  const { plan, reservation } = await makeReady(engine, life);
  let executed: Executed | undefined;
  try {
    engine.log.info('run.started', {
      runId: run.runId,
      tool: plan.tool.definition.name,
      engagement: plan.engagement.id,
      requestId: request.requestId,
      principal: request.principal.id,
    });
    const onEvent: Parameters<typeof executePlan>[1]['onEvent'] = (event) => {
      journal.note(event);
      request.onEvent?.(event);
    };
    const job = { runId: run.runId, plan, queuedMs, signal: run.signal, timeouts: engine.timeouts, onEvent };
    executed = await executePlan(engine, job);
    return { ...executed, patch: { ...executed.patch, ...plannedFields(plan, engine.text) } };
  } finally {
    // Before its end is told: who waits for it to start the next one must find what is left.
    await reservation.settle(spentOf(plan, executed));
  }
}

/**
 * Rejects with ERR_AUTH_FORBIDDEN when the owner of a run may not run tools any more. Attack: a leaked key queues a
 * thousand scans, and they start for days after it was revoked. Who did not wait was authenticated just now.
 */
export async function requireOwner(engine: Engine, owner: string): Promise<Principal> {
  const principal = await engine.principal(owner);
  if (principal?.scopes.has('runs:execute') === true) return principal;
  throw new SallyportError('ERR_AUTH_FORBIDDEN', 'The key of the owner may no longer run tools.');
}

interface Outcome {
  readonly executed: Executed | undefined;
  readonly error: SallyportError | undefined;
}

async function conclude(engine: Engine, life: Life, { executed, error }: Outcome): Promise<RunResult> {
  const { journal, request, source } = life;
  const end = endOf(engine, { executed, error });
  if (end.state === 'ended_by_policy') {
    engine.recorder.count('sallyport_policy_ended_runs_total', { code: end.patch.error?.code ?? 'OK' });
  }
  await endStored(engine, journal, end).finally(() =>
    engine.audit.note(endedEvent({ ...journal.run(), ...end.patch, state: end.state })),
  );
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
