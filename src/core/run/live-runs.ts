/** One run of this process that has not ended. */
export interface LiveRun {
  readonly runId: string;
  /** Aborted when the run is to end: by its caller while it waits for it, or by whoever may cancel it. */
  readonly signal: AbortSignal;
  /** The caller has left: it ends the run no more. */
  detach(): void;
  readonly isDetached: () => boolean;
  cancel(): void;
  /** Lets go of the caller's signal. */
  release(): void;
}

/** A run whose caller may still withdraw it; without a caller it is detached from the beginning. */
export function createLiveRun(runId: string, caller?: AbortSignal): LiveRun {
  const stop = new AbortController();
  const withdraw = () => stop.abort();
  let isDetached = caller === undefined;
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
    release,
  };
}

/** What those who come later may know of a run and do with it. */
export interface LiveEnd {
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
    async idle() {
      while (runs.size > 0) await Promise.allSettled([...runs.values()].map(({ ended }) => ended));
    },
    get size() {
      return runs.size;
    },
  };
}
