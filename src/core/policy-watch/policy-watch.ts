import type { Clock } from '../clock.ts';
import type { Asker, Engagement, Engagements } from '../engagement/types.ts';
import { SallyportError } from '../errors.ts';
import type { EndableRuns, KillSwitch } from '../kill/types.ts';
import type { Log } from '../log.ts';
import type { LiveSubject } from '../run/live-runs.ts';
import { judgeChanged, judgeNow } from './permission.ts';

export interface PolicyWatchParts {
  readonly engagements: Engagements;
  readonly killSwitch: Pick<KillSwitch, 'check'>;
  readonly runs: EndableRuns;
  /** Who a principal id is; undefined when its key is gone. */
  readonly asker: (id: string) => Promise<Asker | undefined>;
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
  /** The engagements as they were at the look before. */
  #known = new Map<string, Engagement>();
  #generation: number;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #unlisten: () => void = () => undefined;

  constructor(parts: PolicyWatchParts) {
    this.#parts = parts;
    this.#generation = parts.engagements.generation();
    this.#remember();
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
      const ending = runs.endWhere((run) => this.#judge(run));
      await Promise.all([ending, this.#lookAtChanges()]);
    } catch (err) {
      log.error('run.failed', { what: 'policy watch', err });
    }
  }

  #judge(run: LiveSubject): SallyportError | undefined {
    const { engagements, killSwitch } = this.#parts;
    try {
      // What was between its check and its place among the live runs when the switch was pulled.
      killSwitch.check(run.engagement);
      return judgeNow(engagements, run);
    } catch (thrown) {
      if (thrown instanceof SallyportError) return thrown;
      return unjudged(run, thrown);
    }
  }

  /** Scope and principals change only with an engagement: they are judged then, and against what is in force then. */
  async #lookAtChanges(): Promise<void> {
    const { engagements, runs, asker } = this.#parts;
    const isChanged = this.#generation !== engagements.generation();
    const changed = this.#remember();
    this.#generation = engagements.generation();
    if (!isChanged && changed.size === 0) return;
    const subjects = runs.subjects();
    const owners = new Map([...new Set(subjects.map(({ owner }) => owner))].map((id) => [id, asker(id)]));
    const verdicts = new Map<string, SallyportError>();
    const judge = async (run: LiveSubject) => {
      try {
        const why = await judgeChanged(engagements, run, await owners.get(run.owner));
        if (why !== undefined) verdicts.set(run.runId, why);
      } catch (thrown) {
        verdicts.set(run.runId, unjudged(run, thrown));
      }
    };
    await Promise.all(subjects.map((run) => judge(run)));
    if (verdicts.size > 0) await runs.endWhere(({ runId }) => verdicts.get(runId));
  }

  /** The ids of those that are others than before. */
  #remember(): ReadonlySet<string> {
    const before = this.#known;
    this.#known = new Map(this.#parts.engagements.all().map((each) => [each.id, each]));
    const isSame = (id: string, now: Engagement) => {
      const then = before.get(id);
      // The policy too: what the configuration denies to everybody is in it and not in the version.
      return then?.version === now.version && then.policy === now.policy;
    };
    return new Set([...this.#known].filter(([id, now]) => !isSame(id, now)).map(([id]) => id));
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

/** A fault of ours must not let a run go on for which nobody can say that it may. */
function unjudged({ engagement }: LiveSubject, cause: unknown): SallyportError {
  const message = 'It cannot be judged whether the run is still permitted; it was ended.';
  return new SallyportError('ERR_ENGAGEMENT_NOT_OPEN', message, {
    details: { rule: 'engagement.watch', engagement },
    cause,
  });
}
