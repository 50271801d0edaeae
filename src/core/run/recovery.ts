import type { Run } from '../../../schemas/run-record.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Unfinished } from '../store/types.ts';
import type { Engine } from './engine.ts';
import { openJournal } from './journal.ts';
import { live, requireOwner } from './live.ts';
import { createLiveRun } from './live-runs.ts';
import { keepOwned } from './owned-secrets.ts';
import { stateOf } from './states.ts';

/**
 * Settles every run that an earlier life of the gateway left unfinished, before anybody can ask for it. Its process
 * trees were ended when the executor started.
 */
export async function recoverRuns(engine: Engine): Promise<void> {
  for (const left of await engine.store.runs.unfinished()) {
    // It waits for a person, not for us.
    if (left.run.state === 'awaiting_approval') continue;
    const state = await settle(engine, left).catch((err: unknown) => {
      // One record that cannot be written must not keep the gateway from its start; the next start tries again.
      engine.log.error('store.failed', { runId: left.run.runId, err });
      return undefined;
    });
    if (state === undefined) continue;
    engine.recorder.count('sallyport_runs_recovered_total', { state });
    engine.log.warn('run.recovered', { runId: left.run.runId, tool: left.run.tool, state });
  }
}

async function settle(engine: Engine, left: Unfinished): Promise<Run['state']> {
  const { run, job } = left;
  if (run.state === 'running') {
    return end(engine, left, new SallyportError('ERR_RUN_LOST', 'The gateway ended while this run was going on.'));
  }
  if (job?.detached !== true) {
    const message = 'The gateway ended while the caller waited for a place; nothing ran.';
    return end(engine, left, new SallyportError('ERR_RUN_CANCELLED', message));
  }
  try {
    await waitAgain(engine, { ...left, job });
    return 'queued';
  } catch (thrown) {
    return end(engine, left, toSallyportError(thrown));
  }
}

async function end(engine: Engine, left: Unfinished, error: SallyportError): Promise<Run['state']> {
  const { code, message } = error;
  const state = stateOf(error);
  const endedAt = new Date(engine.clock.now()).toISOString();
  const journal = openJournal({ ...engine, runs: engine.store.runs }, left);
  await journal.end({ state, patch: { endedAt, error: { code, message } } });
  return state;
}

/** Attack: a key that was revoked meanwhile must not have its queued runs started. */
async function waitAgain(engine: Engine, left: Unfinished & { readonly job: NonNullable<Unfinished['job']> }) {
  const { run, job } = left;
  await requireOwner(engine, run.owner);
  const tool = engine.registry.get(run.tool);
  const { input, run: options } = tool.validate(job.input, job.options);
  const mine = createLiveRun(run.runId);
  const admitted = engine.gate.admit(run.tool, { signal: mine.signal, owner: run.owner, isReturning: true });
  const secrets = keepOwned(engine, { tool, runId: run.runId, owner: run.owner });
  const ended = live(engine, mine, {
    admitted,
    plan: undefined,
    source: { name: run.tool, input, run: options, keepSecret: secrets.keep },
    secrets,
    journal: openJournal({ ...engine, runs: engine.store.runs }, left),
    job,
    request: { requestId: run.requestId, principal: { id: run.owner } },
  });
  engine.runs.add(mine, { ended, detach: () => Promise.resolve() });
}
