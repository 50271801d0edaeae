import type { RunResult } from '../../../schemas/run.ts';
import { ERRORS, type ErrorCode, SallyportError } from '../errors.ts';
import type { Store } from '../store/types.ts';
import type { LiveRuns } from './live-runs.ts';
import { isFinal } from './states.ts';
import type { StartedRun } from './types.ts';

interface ReplayParts {
  readonly store: Pick<Store, 'runs'>;
  readonly runs: LiveRuns;
}

/** The run that an idempotency key named before, as if it had been started now. */
export async function replayOf(parts: ReplayParts, runId: string): Promise<StartedRun> {
  const read = async () => {
    const run = await parts.store.runs.get(runId);
    if (run === undefined) throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
    return run;
  };
  const live = parts.runs.find(runId);
  const ended = live === undefined ? storedEnd(parts.store, runId) : (live.ended as Promise<RunResult>);
  ended.catch(() => undefined);
  // Who asks again was told the id too: the end of the first one's connection must not end the run under this one.
  return { runId, isNew: false, ended, read, detach: async () => live?.detach() };
}

/** The stored end of a run as its first caller got it. Throws the run's error, with its whole answer where there is one. */
export async function storedEnd(store: Pick<Store, 'runs'>, runId: string): Promise<RunResult> {
  const run = await store.runs.get(runId);
  if (run === undefined) throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
  if (!isFinal(run.state))
    throw new SallyportError('ERR_RUN_UNFINISHED', 'The run has not ended.', { retryAfterMs: 1000 });
  const result = await store.runs.result(runId);
  if (run.state === 'succeeded' && result !== undefined) return result;
  const { code, message } = run.error ?? { code: 'ERR_INTERNAL', message: 'The run ended without an answer.' };
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'ERR_INTERNAL';
  throw new SallyportError(known, message, result === undefined ? {} : { details: { run: result } });
}
