import type { Run, RunState } from '../../../schemas/run-record.ts';
import type { ErrorCode, SallyportError } from '../errors.ts';
import { outcomeOf } from './outcome.ts';

/** What may follow each state; a final one is followed by nothing. */
const NEXT: Readonly<Record<RunState, readonly RunState[]>> = {
  awaiting_approval: ['queued', 'failed', 'cancelled', 'ended_by_policy'],
  queued: ['running', 'failed', 'cancelled', 'ended_by_policy'],
  running: ['succeeded', 'failed', 'timed_out', 'cancelled', 'ended_by_policy', 'lost'],
  succeeded: [],
  failed: [],
  timed_out: [],
  cancelled: [],
  ended_by_policy: [],
  lost: [],
};

/** Whether nothing follows this state. */
export function isFinal(state: RunState): boolean {
  return NEXT[state].length === 0;
}

/** The one way from a state to the next. Throws for a step that does not exist: that is a bug, and nothing is stored. */
export function step(from: RunState, to: RunState): RunState {
  if (!NEXT[from].includes(to)) throw new Error(`a run cannot go from ${from} to ${to}`);
  return to;
}

/**
 * Whether a run ended without anything having run and without anybody having said no: who asks for the same again wants
 * it to run, not to hear that it did not. A person's denial stays an answer.
 */
export function neverRan({ state, startedAt, error }: Pick<Run, 'state' | 'startedAt' | 'error'>): boolean {
  if (startedAt !== null) return false;
  return state === 'cancelled' || (state === 'ended_by_policy' && error?.code !== 'ERR_APPROVAL_DENIED');
}

/** Withdrawn by the caller or the gateway, not refused: nothing is wrong with what was asked. */
const WITHDRAWN: ReadonlySet<ErrorCode> = new Set(['ERR_RUN_CANCELLED', 'ERR_TOOL_BUSY', 'ERR_SHUTTING_DOWN']);

/** The final state of a run that ended with this error. */
export function stateOf(error: SallyportError): RunState {
  if (error.code === 'ERR_RUN_LOST') return 'lost';
  if (WITHDRAWN.has(error.code)) return 'cancelled';
  switch (outcomeOf(error)) {
    case 'timed_out':
      return 'timed_out';
    case 'cancelled':
      return 'cancelled';
    case 'refused':
    case 'ended_by_policy':
      return 'ended_by_policy';
    case 'succeeded':
    case 'failed':
    case 'rejected':
      return 'failed';
  }
}
