import { createHash } from 'node:crypto';
import type { RunOptions } from '../../schemas/run.ts';
import type { Run } from '../../schemas/run-record.ts';
import type { Approvals } from '../core/approval/types.ts';
import type { Principal } from '../core/auth/types.ts';
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, toSallyportError } from '../core/errors.ts';
import { canonicalJson } from '../core/findings/fingerprint.ts';
import type { Log } from '../core/log.ts';
import type { RunHistory, StartedRun } from '../core/run/types.ts';
import { CONFIRM, type Given, givenBy, type Question, questionOf } from './confirm-question.ts';
import { createCursors } from './cursor.ts';
import { isRecord, RPC, RpcFault } from './json-rpc.ts';

/** Asks the person at the client of one call. `later`: the answer comes with another call. Never rejects. */
export type Ask = (question: Question, at: AskedAt) => Promise<Given | 'later'>;

/** How long a question stands, and what has to come back with an answer that comes later. */
export interface AskedAt {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly state: () => string;
}

/** An answer that came with another call (MCP 2026-07-28, Multi Round-Trip Requests). Unchecked. */
export interface Retry {
  readonly state: unknown;
  readonly responses: unknown;
}

/** What of a call a confirmation is bound to. */
export interface ConfirmedCall {
  readonly tool: { readonly definition: { readonly name: string } };
  readonly input: unknown;
  readonly run: RunOptions | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Absent when the client cannot be asked. */
  readonly ask?: Ask | undefined;
}

/**
 * Confirmations by the requester's own person. Attack: a model answers its own question, or its client accepts for it.
 * So a confirmation is only handed on; whether it is worth anything is decided by the engagement, in core.
 */
export interface Confirmations {
  /**
   * Asks about a run that waits for people, when that is possible. Resolves with how long the call should still wait
   * for its end, milliseconds.
   */
  seek(call: ConfirmedCall, started: Pick<StartedRun, 'ended' | 'read'>, waitMs: number): Promise<number>;
  /**
   * Takes an answer that came with another call, and tells which run it belongs to and how long to wait for its end.
   * Throws −32602 unless exactly this principal was asked in exactly this call.
   */
  take(call: ConfirmedCall, retry: Retry, waitMs: number): Promise<{ readonly runId: string; readonly waitMs: number }>;
}

/** Where a person's word is taken, and whether it was enough. */
export type ConfirmDesk = Pick<Approvals, 'confirm' | 'get'>;

/** What confirmations stand on. */
export interface ConfirmationParts {
  /** Absent: nobody is asked. */
  readonly approvals?: ConfirmDesk | undefined;
  readonly history: Pick<RunHistory, 'get' | 'cancel'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Questions to one principal within that time. Attack: who is asked without end says yes to be left alone. */
const MAX_QUESTIONS = 6;
const WINDOW_MS = 600_000;
/** Answered runs that are remembered. */
const MAX_ANSWERED = 1000;
/** Long enough to see an end that has come already. */
const AT_ONCE_MS = 1;

/** Confirmations over the approvals; their state is bound to this process. */
export function createConfirmations(parts: ConfirmationParts): Confirmations {
  const { approvals, history, clock } = parts;
  const states = createStates();
  const mayAsk = createQuestionLimit(clock);
  const answered = new Set<string>();
  return {
    seek: async (call, started, waitMs) => {
      const since = clock.monotonic();
      // What only asks must not take the answer away.
      const run = await started.read().catch(() => undefined);
      if (run?.state !== 'awaiting_approval') return waitMs;
      // People take their time: only a caller that says so waits for them.
      const forPeople = call.run?.waitMs ?? 0;
      const { ask, principal } = call;
      if (approvals === undefined || ask === undefined || run.planDigest === null || waitMs === 0) return forPeople;
      if (!mayAsk(principal.id)) return forPeople;
      const given = await askWhileItWaits(call, ask, { run, started, waitMs, state: () => states.seal(call, run) });
      if (given === 'later') return 0;
      const isDecided = given !== 'unanswered' && (await handOn({ ...parts, approvals }, call, { run, given }));
      const isOpen = !isDecided && (await started.read()).state === 'awaiting_approval';
      if (isOpen && forPeople === 0) return AT_ONCE_MS;
      return Math.max(AT_ONCE_MS, waitMs - (clock.monotonic() - since));
    },
    take: async (call, { state, responses }, waitMs) => {
      const { runId, digest } = states.open(call, state);
      const given = givenBy(isRecord(responses) ? responses[CONFIRM] : undefined);
      const run = await history.get(call.principal, runId);
      const forPeople = { runId, waitMs: call.run?.waitMs ?? 0 };
      if (run.state !== 'awaiting_approval') return { runId, waitMs };
      // Attack: a replayed state gives one person's word twice, or turns it around.
      if (approvals === undefined || given === 'unanswered' || run.planDigest !== digest || answered.has(runId))
        return forPeople;
      remember(answered, runId);
      const isDecided = await handOn({ ...parts, approvals }, call, { run, given });
      return isDecided ? { runId, waitMs } : forPeople;
    },
  };
}

interface Asked {
  readonly run: Run;
  readonly started: Pick<StartedRun, 'ended'>;
  readonly waitMs: number;
  readonly state: () => string;
}

/** The question goes when the run ends without it: denied, cancelled, killed. */
async function askWhileItWaits(call: ConfirmedCall, ask: Ask, { run, started, waitMs, state }: Asked) {
  const over = new AbortController();
  const stop = () => over.abort();
  started.ended.then(stop, stop);
  const signal = AbortSignal.any([call.signal, over.signal]);
  return ask(questionOf(run), { timeoutMs: waitMs, signal, state });
}

const TOO_LATE: ReadonlySet<ErrorCode> = new Set(['ERR_APPROVAL_OVER', 'ERR_APPROVAL_UNKNOWN']);

/** Hands a person's word to core. True when the run waits for nobody any more. */
async function handOn(
  { approvals, history, log }: ConfirmationParts & { readonly approvals: ConfirmDesk },
  { principal, requestId }: ConfirmedCall,
  { run, given }: { run: Run; given: Given },
): Promise<boolean> {
  const { runId, planDigest } = run;
  try {
    await approvals.confirm(principal, runId, {
      digest: planDigest ?? '',
      accepted: given === 'accepted',
      requestId,
    });
    return (await approvals.get(principal, runId)).state !== 'pending';
  } catch (cause) {
    const { code } = toSallyportError(cause);
    if (TOO_LATE.has(code)) return true;
    log.warn('request.failed', { requestId, runId, code, cause });
    if (given !== 'declined') return false;
    // A "no" that could not be kept must not become somebody else's "yes" later.
    await history.cancel(principal, runId);
    return true;
  }
}

/** What goes to the client and comes back: which run, and which call asked for it. */
function createStates() {
  const sealed = createCursors();
  return {
    seal: (call: ConfirmedCall, { runId, planDigest }: Run) =>
      sealed.seal(call.principal.id, JSON.stringify([runId, planDigest, digestOfCall(call)])),
    open: (call: ConfirmedCall, state: unknown) => {
      // Attack: another tenant, or the same one in another call, answers a question that it was not asked.
      const refused = new RpcFault(RPC.invalidParams, 'Invalid or expired requestState; call again without it.');
      if (typeof state !== 'string') throw refused;
      let text: string;
      try {
        text = sealed.open(call.principal.id, state);
      } catch {
        throw refused;
      }
      const [runId, digest, asked] = JSON.parse(text) as [string, string | null, string];
      if (asked !== digestOfCall(call)) throw refused;
      return { runId, digest };
    },
  };
}

function digestOfCall({ tool, input, run }: ConfirmedCall): string {
  return createHash('sha256')
    .update(canonicalJson([tool.definition.name, input, run ?? null]))
    .digest('hex');
}

/** Whether a principal may be asked once more; counts it. */
function createQuestionLimit(clock: Clock): (principalId: string) => boolean {
  const asked = new Map<string, number[]>();
  return (principalId) => {
    const now = clock.monotonic();
    for (const [id, times] of asked) {
      const recent = times.filter((at) => now - at < WINDOW_MS);
      if (recent.length === 0) asked.delete(id);
      else asked.set(id, recent);
    }
    const own = asked.get(principalId) ?? [];
    if (own.length >= MAX_QUESTIONS) return false;
    asked.set(principalId, [...own, now]);
    return true;
  };
}

/** The oldest is forgotten; a word that is given twice then is refused by core. */
function remember(answered: Set<string>, runId: string): void {
  const [oldest] = answered;
  if (answered.size >= MAX_ANSWERED && oldest !== undefined) answered.delete(oldest);
  answered.add(runId);
}
