import { createHmac, randomUUID } from 'node:crypto';
import type { RunOptions } from '../../../schemas/run.ts';
import { SallyportError, toSallyportError } from '../errors.ts';
import { canonicalJson } from '../findings/fingerprint.ts';
import { makePlan } from '../plan/plan.ts';
import type { IdempotencyKey, StoredEvent } from '../store/types.ts';
import type { RegisteredTool } from '../tool/registry-types.ts';
import { accountFailure } from './account.ts';
import { checkOffered, type PlanSource } from './current-plan.ts';
import type { EngineParts } from './engine-parts.ts';
import { storeEnds, type UnstoredEnds } from './end-stored.ts';
import { openJournal } from './journal.ts';
import { createLiveRun, createLiveRuns, type LiveRun, type LiveRuns } from './live-runs.ts';
import { live } from './live.ts';
import { queuedRecord } from './record.ts';
import { recoverRuns } from './recovery.ts';
import { replayOf } from './replay.ts';
import { keepOwned } from './owned-secrets.ts';
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
  /** Resolves when every run has ended and its end is stored as far as it can be; before the store is let go of. */
  settle(): Promise<void>;
}

/** What every part of the engine shares. */
export type Engine = EngineParts & {
  readonly timeouts: TimeoutLedger;
  readonly runs: LiveRuns;
  readonly unstored: UnstoredEnds;
};

/** Makes the one engine that every channel calls. */
export function createRunEngine(parts: EngineParts): RunMachine {
  const engine: Engine = { ...parts, timeouts: createTimeoutLedger(), runs: createLiveRuns(), unstored: new Set() };
  const start = (request: CallRequest) => startRun(engine, request);
  return {
    start,
    call: async (request) => (await start(request)).ended,
    runs: engine.runs,
    recover: () => recoverRuns(engine),
    settle: async () => {
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
    return await admitAndStore(engine, { request, tool, runId, idempotency });
  } catch (thrown) {
    const error = toSallyportError(thrown);
    accountFailure(engine, { tool: tool.definition.name, error, request, runId });
    throw error;
  }
}

/** Nothing ran under this id: the same call may be made again, and the store gives its key to the new run. */
async function wasWithdrawn({ store }: Engine, runId: string): Promise<boolean> {
  const run = await store.runs.get(runId);
  return run?.state === 'cancelled' && run.startedAt === null;
}

interface Call {
  readonly request: CallRequest;
  readonly tool: RegisteredTool;
  readonly runId: string;
  readonly idempotency: IdempotencyKey | undefined;
}

/** The request's path: offered? input? plan? room? stored. From there on it is a run, whatever its caller does. */
async function admitAndStore(engine: Engine, call: Call): Promise<StartedRun> {
  const { request, tool, runId, idempotency } = call;
  checkOffered(tool);
  const { input, run: options } = tool.validate(request.input, request.run);
  const secrets = keepOwned(engine, { tool, runId, owner: request.principal.id });
  const plan = await makePlan(engine.plans, { tool, input, run: options, keepSecret: secrets.keep });
  const owner = request.principal.id;
  const run = createLiveRun(runId, request.signal);
  const admitted = engine.gate.admit(tool.definition.name, { signal: run.signal, owner });
  try {
    const createdAt = engine.clock.now();
    const record = queuedRecord(plan, { runId, owner, requestId: request.requestId, createdAt, text: engine.text });
    const job = { input, options, detached: false };
    const event: StoredEvent = { seq: 1, at: createdAt, type: 'state', data: { state: 'queued' } };
    const extras = { job, event, ...(idempotency === undefined ? {} : { idempotency }) };
    const creation = await engine.store.runs.create(record, extras);
    if (creation.kind !== 'created') {
      admitted.leave();
      run.release();
      if (creation.kind === 'conflict') throw conflict();
      return await replayOf(engine, creation.runId);
    }
    const source: PlanSource = { name: tool.definition.name, input, run: options, keepSecret: secrets.keep };
    const journal = openJournal({ ...engine, runs: engine.store.runs }, { run: record, lastSeq: 1 });
    return track(engine, run, { admitted, plan, source, secrets, journal, job, request });
  } catch (thrown) {
    admitted.leave();
    run.release();
    throw thrown;
  }
}

/** Lets a stored run live, and hands out what its caller holds of it. */
function track(engine: Engine, run: LiveRun, from: Parameters<typeof live>[2]): StartedRun {
  const { journal, job } = from;
  const ended = live(engine, run, from);
  const detach = async () => {
    if (run.isDetached()) return;
    // Stored first: who is told that the run goes on may rely on it after a restart too.
    try {
      if (journal.run().state === 'queued') await journal.keepJob({ ...job, detached: true });
    } catch (thrown) {
      // The caller will not hear its id: it must not start a scan that nobody knows of.
      run.cancel();
      throw thrown;
    }
    run.detach();
    engine.log.info('run.detached', { runId: run.runId, state: journal.run().state });
  };
  engine.runs.add(run, { ended, detach });
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
