import { createHmac, randomUUID } from 'node:crypto';
import type { RunOptions } from '../../../schemas/run.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import { canonicalJson } from '../findings/fingerprint.ts';
import type { Creation, IdempotencyKey } from '../store/types.ts';
import { accountFailure } from './account.ts';
import { allow, type Allowed, approvalRequestOf, type Call } from './admission.ts';
import { refusedEvent, runEvent } from './audited.ts';
import { createOpenPlaces, type OpenPlaces } from './open-places.ts';
import type { PlanSource } from './current-plan.ts';
import type { EngineParts } from './engine-parts.ts';
import { storeEnds, type UnstoredEnds } from './end-stored.ts';
import { openJournal } from './journal.ts';
import { createLiveRun, createLiveRuns, type LiveRun, type LiveRuns } from './live-runs.ts';
import { live } from './live.ts';
import { queuedRecord } from './record.ts';
import { recoverRuns } from './recovery.ts';
import { neverRan } from './states.ts';
import { replayOf } from './replay.ts';
import { ruleOf } from './outcome.ts';
import { secretTexts } from './secret-texts.ts';
import { subjectOf } from './subject.ts';
import { createTimeoutLedger, type TimeoutLedger } from './timeout-ledger.ts';
import type { CallRequest, RunEngine, StartedRun } from './types.ts';

/** The engine with what only the gateway and the history may do. */
export interface RunMachine extends RunEngine {
  /** The runs of this process that have not ended. */
  readonly runs: LiveRuns;
  /**
   * Settles what an earlier life left: running ones are lost, waiting ones whose caller had left wait again, the others
   * are cancelled. Resolves once all of it is stored.
   */
  recover(): Promise<void>;
  /** Refuses new calls; what waits for people waits on in the next life. */
  stop(): void;
  /** Resolves when every run has ended and its end is stored as far as it can be; before the store is let go of. */
  settle(): Promise<void>;
}

/** What every part of the engine shares. */
export type Engine = EngineParts & {
  readonly timeouts: TimeoutLedger;
  readonly runs: LiveRuns;
  readonly places: OpenPlaces;
  readonly unstored: UnstoredEnds;
  /** Aborted when the gateway stops: what waits for people waits on in the next life. */
  readonly stopping: AbortSignal;
};

/** Makes the one engine that every channel calls. */
export function createRunEngine(parts: EngineParts): RunMachine {
  const ending = new AbortController();
  const runs = createLiveRuns();
  const engine: Engine = {
    ...parts,
    timeouts: createTimeoutLedger(),
    runs,
    places: createOpenPlaces(parts.quotas, runs),
    unstored: new Set(),
    stopping: ending.signal,
  };
  const start = (request: CallRequest) => startRun(engine, request);
  return {
    start,
    call: async (request) => (await start(request)).ended,
    runs: engine.runs,
    recover: () => recoverRuns(engine),
    stop: () => ending.abort(),
    settle: async () => {
      ending.abort();
      await engine.runs.idle();
      await storeEnds(engine.unstored);
    },
  };
}

async function startRun(engine: Engine, request: CallRequest): Promise<StartedRun> {
  const tool = engine.registry.get(request.tool);
  const runId = randomUUID();
  try {
    const idempotency = idempotencyOf(engine, request);
    const known = idempotency && (await engine.store.runs.byKey(request.principal.id, idempotency.key));
    if (idempotency !== undefined && known !== undefined && !(await wasWithdrawn(engine, known.runId))) {
      if (known.digest !== idempotency.digest) throw conflict();
      return await replayOf(engine, known.runId);
    }
    const call = { request, tool, runId };
    return await engine.places.within(request.principal.id, async () =>
      admitAndStore(engine, call, { idempotency, allowed: await allow(engine, call) }),
    );
  } catch (thrown) {
    const error = toSallyportError(thrown);
    accountFailure(engine, { tool: tool.definition.name, error, request, runId });
    // What cannot be written now would only pile up: that it cannot is in health and in the log.
    if (error.code !== 'ERR_AUDIT_UNAVAILABLE') {
      const { name, output } = tool.definition;
      // It may quote what was sent, and that may be a password.
      const mask = engine.text.masker(secretTexts(tool.definition, request.input), output);
      const told = { code: error.code, message: mask(error.message) };
      engine.audit.note(refusedEvent(told, { tool: name, runId, request, rule: ruleOf(error) }));
    }
    throw error;
  }
}

/** Nothing ran under this id: the same call may be made again, and the store gives its key to the new run. */
async function wasWithdrawn({ store }: Engine, runId: string): Promise<boolean> {
  const run = await store.runs.get(runId);
  return run !== undefined && neverRan(run);
}

interface Admission {
  readonly allowed: Allowed;
  readonly idempotency: IdempotencyKey | undefined;
}

/** From here on it is a run, whatever its caller does: room, audit, stored. One that needs consent takes its place later. */
async function admitAndStore(engine: Engine, call: Call, { allowed, idempotency }: Admission): Promise<StartedRun> {
  const { request, tool, runId } = call;
  const { plan, input, options, bound, secrets, planId } = allowed;
  const owner = request.principal.id;
  const awaits = plan.approval !== undefined;
  // Nobody's leaving ends what waits for people.
  const run = awaits ? createLiveRun(runId) : createLiveRun(runId, request.signal);
  const admitted = awaits ? undefined : engine.gate.admit(tool.definition.name, { signal: run.signal, owner });
  const withdraw = () => {
    admitted?.leave();
    run.release();
  };
  try {
    const createdAt = engine.clock.now();
    const record = queuedRecord(plan, { runId, owner, requestId: request.requestId, createdAt, text: engine.text });
    const job = { input, options, detached: awaits, ...(bound === undefined ? {} : { bound }) };
    await engine.audit.append(runEvent('run.accepted', record, request));
    const approval = approvalRequestOf(allowed, call, createdAt);
    const creation = await engine.store.runs.create(record, {
      job,
      event: { seq: 1, at: createdAt, type: 'state', data: { state: record.state } },
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(approval === undefined ? {} : { approval }),
      ...(planId === undefined ? {} : { planId }),
    });
    if (creation.kind !== 'created') {
      withdraw();
      return await notCreated(engine, creation);
    }
    const source: PlanSource = {
      name: tool.definition.name,
      input,
      run: options,
      ...principalOf(request),
      ...secretsOf(allowed),
    };
    const journal = openJournal({ ...engine, runs: engine.store.runs }, { run: record, lastSeq: 1 });
    return track(engine, run, { admitted, planned: { plan }, source, secrets, journal, job, request });
  } catch (thrown) {
    withdraw();
    throw thrown;
  }
}

function principalOf({ principal: { id, name } }: CallRequest): Pick<PlanSource, 'principal'> {
  return { principal: { id, name } };
}

function secretsOf({ secrets, bound }: Allowed): Pick<PlanSource, 'keepSecret' | 'bound'> {
  return { keepSecret: secrets.keep, bound };
}

/** Somebody was faster with the same key or the same plan. */
async function notCreated(engine: Engine, creation: Exclude<Creation, { kind: 'created' }>): Promise<StartedRun> {
  if (creation.kind === 'known') return replayOf(engine, creation.runId);
  if (creation.kind === 'conflict') throw conflict();
  throw new SallyportError('ERR_PLAN_USED', 'This plan has run already; make a new one.', {
    details: { rule: 'plan.unused' },
  });
}

/** Lets a stored run live, and hands out what its caller holds of it. */
function track(engine: Engine, run: LiveRun, from: Parameters<typeof live>[2]): StartedRun {
  const { journal, job } = from;
  const ended = live(engine, run, from);
  const detach = async () => {
    if (run.isDetached()) return;
    // Stored first: who is told that the run goes on may rely on it after a restart too.
    try {
      if (journal.run().state === 'queued' && !job.detached) await journal.keepJob({ ...job, detached: true });
    } catch (thrown) {
      // The caller will not hear its id: it must not start a scan that nobody knows of.
      run.cancel();
      throw thrown;
    }
    run.detach();
    engine.log.info('run.detached', { runId: run.runId, state: journal.run().state });
  };
  engine.runs.add(run, { ended, detach, subject: subjectOf(journal, from.planned) });
  return { runId: run.runId, isNew: true, ended, read: async () => journal.run(), detach };
}

const KEY = /^[\x21-\x7e][\x20-\x7e]{0,254}$/;

/** Under a key of the store: the input may hold passwords, and a plain hash of them could be guessed at in a backup. */
function idempotencyOf(
  { store }: Engine,
  { idempotencyKey, tool, input, run }: CallRequest,
): IdempotencyKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  if (!KEY.test(idempotencyKey)) {
    throw new SallyportError('ERR_INPUT_INVALID', 'An idempotency key has 1 to 255 printable ASCII characters.');
  }
  // How long a caller waits, and how much it wants to read, is not what it asked for.
  const { waitMs: _waitMs, maxTokens: _maxTokens, ...what } = run ?? {};
  const asked = canonicalJson([tool, input, what satisfies RunOptions]);
  return {
    key: idempotencyKey,
    digest: createHmac('sha256', store.cursorKey).update('idempotency').update(asked).digest('hex'),
  };
}

function conflict(): SallyportError {
  return new SallyportError(
    'ERR_IDEMPOTENCY_CONFLICT',
    'This idempotency key was used for something else; use a new one for a new run.',
  );
}
