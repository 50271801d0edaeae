import type { Run } from '../../../schemas/run-record.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import type { Unfinished } from '../store/types.ts';
import { endedEvent } from './audited.ts';
import type { Engine } from './engine.ts';
import { openJournal } from './journal.ts';
import { live, requireOwner } from './live.ts';
import { createLiveRun } from './live-runs.ts';
import { keepOwned } from './owned-secrets.ts';
import { stateOf } from './states.ts';
import { subjectOf } from './subject.ts';

/**
 * Settles every run that an earlier life of the gateway left unfinished, before anybody can ask for it. Its process
 * trees were ended when the executor started.
 */
export async function recoverRuns(engine: Engine): Promise<void> {
  for (const left of await engine.store.runs.unfinished()) {
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
  // What waits for people is nobody's to withdraw but its owner's.
  if (job?.detached !== true) {
    const message = 'The gateway ended while the caller waited for a place; nothing ran.';
    return end(engine, left, new SallyportError('ERR_RUN_CANCELLED', message));
  }
  try {
    await waitAgain(engine, { ...left, job });
    return run.state;
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
  engine.audit.note(endedEvent(journal.run()));
  return state;
}

/** Attack: a key that was revoked meanwhile must not have its queued runs started. */
async function waitAgain(engine: Engine, left: Unfinished & { readonly job: NonNullable<Unfinished['job']> }) {
  const { run, job } = left;
  const { id, name } = await requireOwner(engine, run.owner);
  const tool = engine.registry.get(run.tool);
  // The engagement stays the one that it was planned under; runs of versions before engagements had that of the configuration.
  const { input, run: options } = tool.validate(job.input, { engagement: 'default', ...job.options });
  const mine = createLiveRun(run.runId);
  const awaits = run.state === 'awaiting_approval';
  const place = { signal: mine.signal, owner: run.owner, isReturning: true };
  const admitted = awaits ? undefined : engine.gate.admit(run.tool, place);
  const secrets = keepOwned(engine, { tool, runId: run.runId, owner: run.owner });
  const journal = openJournal({ ...engine, runs: engine.store.runs }, left);
  const planned = { plan: undefined };
  const ended = live(engine, mine, {
    admitted,
    planned,
    source: {
      name: run.tool,
      input,
      run: options,
      principal: { id, name },
      keepSecret: secrets.keep,
      bound: job.bound,
    },
    secrets,
    journal,
    job,
    request: { requestId: run.requestId, principal: { id: run.owner } },
  });
  engine.runs.add(mine, { ended, detach: () => Promise.resolve(), subject: subjectOf(journal, planned) });
}
