import type { Principal } from '../auth/types.ts';
import type { Clock } from '../clock.ts';
import type { Engagements } from '../engagement/types.ts';
import { SallyportError } from '../errors.ts';
import type { EndableRuns, KillSwitch } from '../kill/types.ts';
import type { Log } from '../log.ts';
import type { LiveSubject } from '../run/live-runs.ts';
import type { PinnedTargets, TargetPolicy } from '../targets/types.ts';
import { judgeEngagement, judgeOwner, judgeTargets } from './permission.ts';

export interface PolicyWatchParts {
  readonly engagements: Engagements;
  readonly killSwitch: Pick<KillSwitch, 'check'>;
  readonly runs: EndableRuns;
  /** Who a principal id is; undefined when its key is revoked, expired or gone. Rejects when nobody can say. */
  readonly asker: (id: string) => Promise<Principal | undefined>;
  readonly clock: Clock;
  readonly log: Log;
  /** Longest time between two looks, milliseconds. */
  readonly intervalMs?: number;
}

/** Sees to it that no run outlives its permission. */
export interface PolicyWatch {
  /** Looks now; resolves when everything that has to end is over. Never rejects. */
  look(): Promise<void>;
  stop(): void;
}

const INTERVAL_MS = 1000;
/** Shortest time to the next look, so that two clocks which disagree about a closing time make no busy loop. */
const LEAST_MS = 20;

/**
 * Looks once a second, at each change, and at the moment in which an engagement closes, and ends every live run that
 * could not be started now. Looking again and again is what finds a clock that jumped.
 */
export function createPolicyWatch(parts: PolicyWatchParts): PolicyWatch {
  const watch = new Watch(parts);
  watch.start();
  return watch;
}

class Watch implements PolicyWatch {
  readonly #parts: PolicyWatchParts;
  /** The policy that let these targets pass last: a policy never changes, so it need not be asked twice. */
  readonly #passed = new WeakMap<PinnedTargets, TargetPolicy>();
  /** The keys could not be read at the look before. */
  #isBlind = false;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #unlisten: () => void = () => undefined;

  constructor(parts: PolicyWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#unlisten = this.#parts.engagements.onChange(() => void this.look());
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#unlisten();
  }

  async look(): Promise<void> {
    const { runs, log } = this.#parts;
    try {
      // What needs no waiting ends first, and each owner's runs as soon as that one is known: nobody waits for another.
      const ending = runs.endWhere((run) => this.#judge(run));
      const byOwner = Map.groupBy(runs.subjects(), ({ owner }) => owner);
      await Promise.all([ending, ...[...byOwner].map(([owner, theirs]) => this.#lookAtOwner(owner, theirs))]);
    } catch (err) {
      log.error('run.failed', { what: 'policy watch', err });
    }
  }

  #judge(run: LiveSubject): SallyportError | undefined {
    const { engagements, killSwitch } = this.#parts;
    return refusalIn(run, () => {
      // What was between its check and its place among the live runs when the switch was pulled.
      killSwitch.check(run.engagement);
      return judgeEngagement(engagements, run) ?? this.#judgeTargets(run);
    });
  }

  #judgeTargets(run: LiveSubject): SallyportError | undefined {
    const engagement = this.#parts.engagements.get(run.engagement);
    if (engagement === undefined || run.pinned === undefined) return undefined;
    if (this.#passed.get(run.pinned) === engagement.policy) return undefined;
    const why = judgeTargets(engagement, run);
    if (why === undefined) this.#passed.set(run.pinned, engagement.policy);
    return why;
  }

  async #lookAtOwner(id: string, theirs: readonly LiveSubject[]): Promise<void> {
    const { engagements, runs, asker, log } = this.#parts;
    let owner: Principal | undefined;
    try {
      owner = await asker(id);
      this.#isBlind = false;
    } catch (err) {
      // A list that cannot be read now says nothing about a key: the next look asks again.
      if (!this.#isBlind) log.error('store.failed', { what: 'policy watch', err });
      this.#isBlind = true;
      return;
    }
    const whys = new Map(theirs.map((run) => [run.runId, refusalIn(run, () => judgeOwner(engagements, run, owner))]));
    if ([...whys.values()].some((why) => why !== undefined)) await runs.endWhere(({ runId }) => whys.get(runId));
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      // Not after the look: a run that takes long to end must not hold up the end of the next one.
      this.#schedule();
      void this.look();
    }, this.#nextLookMs()).unref();
  }

  #nextLookMs(): number {
    const { clock, intervalMs = INTERVAL_MS } = this.#parts;
    const now = clock.now();
    const closings = this.#closings().map((at) => at - now);
    return Math.max(LEAST_MS, Math.min(intervalMs, ...closings.filter((ms) => ms > 0)));
  }

  #closings(): readonly number[] {
    const { engagements, runs, log } = this.#parts;
    try {
      return [...new Set(runs.subjects().map(({ engagement }) => engagement))].flatMap((id) => {
        const engagement = engagements.get(id);
        const closesAt = engagement && engagements.state(engagement).closesAt;
        return closesAt === undefined ? [] : [closesAt];
      });
    } catch (err) {
      log.error('run.failed', { what: 'policy watch', err });
      return [];
    }
  }
}

/** What a judge says or throws. A fault of ours must not let a run go on for which nobody can say that it may. */
function refusalIn(run: LiveSubject, judge: () => SallyportError | undefined): SallyportError | undefined {
  try {
    return judge();
  } catch (thrown) {
    return thrown instanceof SallyportError ? thrown : unjudged(run, thrown);
  }
}

function unjudged({ engagement }: LiveSubject, cause: unknown): SallyportError {
  const message = 'It cannot be judged whether the run is still permitted; it was ended.';
  return new SallyportError('ERR_ENGAGEMENT_NOT_OPEN', message, {
    details: { rule: 'engagement.watch', engagement },
    cause,
  });
}
