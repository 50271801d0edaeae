import type { Run, RunState } from '../../schemas/run-record.ts';
import type { Principal } from '../core/auth/types.ts';
import type { RunHistory } from '../core/run/types.ts';
import type { ToolEvent } from '../core/tool/definition.ts';

const GOES_ON: ReadonlySet<RunState> = new Set(['awaiting_approval', 'queued', 'running']);

/** True while a run may still change. */
export function isGoingOn({ state }: Pick<Run, 'state'>): boolean {
  return GOES_ON.has(state);
}

/** Who waits for which run, how long, and who is told of progress meanwhile. */
export interface RunWait {
  readonly principal: Principal;
  readonly runId: string;
  readonly waitMs: number;
  /** The caller left: waiting ends, the run does not. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: ToolEvent) => void;
}

/** The run when it has ended, or as it is after `waitMs` milliseconds. Throws ERR_RUN_UNKNOWN. */
export async function awaitRun(history: RunHistory, wait: RunWait): Promise<Run> {
  const { principal, runId, waitMs } = wait;
  const run = await history.get(principal, runId);
  if (waitMs === 0 || !isGoingOn(run)) return run;
  const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(waitMs)]);
  try {
    for await (const { type, data } of await history.follow(principal, runId, { signal }))
      if (type === 'progress') wait.onEvent({ kind: 'progress', ...data });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
  return history.get(principal, runId);
}
