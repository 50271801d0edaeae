import type { Risk } from '../../../schemas/risk.ts';
import type { SallyportError } from '../errors.ts';
import type { PinnedTargets, TargetClaim } from '../targets/types.ts';

/** One run of this process that has not ended. */
export interface LiveRun {
  readonly runId: string;
  /** Aborted when the run is to end: by its caller while it waits for it, or by whoever may cancel it. */
  readonly signal: AbortSignal;
  /** The caller has left: it ends the run no more. */
  detach(): void;
  readonly isDetached: () => boolean;
  cancel(): void;
  /** Ends it for a reason of the policy, which becomes the run's error; the first reason stays. */
  end(why: SallyportError): void;
  readonly why: () => SallyportError | undefined;
  /** Lets go of the caller's signal. */
  release(): void;
}

/** A run whose caller may still withdraw it; without a caller it is detached from the beginning. */
export function createLiveRun(runId: string, caller?: AbortSignal): LiveRun {
  const stop = new AbortController();
  const withdraw = () => stop.abort();
  let isDetached = caller === undefined;
  let why: SallyportError | undefined;
  const release = () => caller?.removeEventListener('abort', withdraw);
  if (caller?.aborted === true) stop.abort();
  else caller?.addEventListener('abort', withdraw, { once: true });
  return {
    runId,
    signal: stop.signal,
    detach: () => {
      isDetached = true;
      release();
    },
    isDetached: () => isDetached,
    cancel: () => stop.abort(),
    end: (error) => {
      // Who was cancelled before was not ended by the policy.
      if (stop.signal.aborted) return;
      why = error;
      stop.abort();
    },
    why: () => why,
    release,
  };
}

/** What the policy judges a live run by. */
export interface LiveSubject {
  readonly runId: string;
  readonly owner: string;
  readonly tool: string;
  readonly engagement: string;
  readonly risk: Risk;
  /** Absent until it was planned in this life. */
  readonly pinned?: PinnedTargets | undefined;
  /** What it was pinned from, with the ports. */
  readonly claims?: readonly TargetClaim[] | undefined;
}

/** What those who come later may know of a run and do with it. */
export interface LiveEnd {
  /** As it is now. */
  subject(): LiveSubject;
  readonly ended: Promise<unknown>;
  /** Resolves once it is durable that nobody's leaving ends the run. */
  detach(): Promise<void>;
}

/** The runs of this process that have not ended, by id. */
export interface LiveRuns {
  add(run: LiveRun, end: LiveEnd): void;
  /** Undefined when the run is not here. */
  find(runId: string): LiveEnd | undefined;
  /** Ends a run and resolves once its end is stored; false when it is not here. */
  cancel(runId: string): Promise<boolean>;
  /** How many of them belong to an owner. */
  countOf(owner: string): number;
  subjects(): readonly LiveSubject[];
  /** Ends every run for which the judge has a reason, at once, and resolves with their number when all of them are over. */
  endWhere(judge: (subject: LiveSubject) => SallyportError | undefined): Promise<number>;
  /** Resolves when none is left. */
  idle(): Promise<void>;
  readonly size: number;
}

/** Makes an empty set. */
export function createLiveRuns(): LiveRuns {
  const runs = new Map<string, LiveEnd & { readonly run: LiveRun }>();
  return {
    add(run, end) {
      runs.set(run.runId, { ...end, run });
      const forget = () => {
        runs.delete(run.runId);
        run.release();
      };
      // Both: nobody may be waiting for the end of a detached run.
      end.ended.then(forget, forget);
    },
    find: (runId) => runs.get(runId),
    async cancel(runId) {
      const found = runs.get(runId);
      if (found === undefined) return false;
      found.run.cancel();
      await found.ended.catch(() => undefined);
      return true;
    },
    countOf: (owner) => [...runs.values()].filter((each) => each.subject().owner === owner).length,
    subjects: () => [...runs.values()].map((each) => each.subject()),
    async endWhere(judge) {
      const ended: Promise<unknown>[] = [];
      for (const each of runs.values()) {
        const why = judge(each.subject());
        if (why === undefined) continue;
        each.run.end(why);
        ended.push(each.ended);
      }
      await Promise.allSettled(ended);
      return ended.length;
    },
    async idle() {
      while (runs.size > 0) await Promise.allSettled([...runs.values()].map(({ ended }) => ended));
    },
    get size() {
      return runs.size;
    },
  };
}
