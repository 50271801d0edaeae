import type { KillEntry, KillReport, KillState } from '../../../schemas/kill.ts';
import type { Audit } from '../audit/types.ts';
import type { Clock } from '../clock.ts';
import type { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';
import { NO_TRACE, type RuleTrace } from '../plan/trace.ts';
import { within } from '../within.ts';
import { createKeeper, type Keeper, type KillTimes } from './keeper.ts';
import { cleanReason, killEvent } from './record.ts';
import {
  fileThere,
  incomplete,
  killRefusal,
  pulledAgain,
  unknownEngagement,
  unknownRefusal,
  unliftable,
} from './refusal.ts';
import type { EndableRuns, KillRequest, KillStore, KillSwitchMachine, Sentinel, StoredKill } from './types.ts';

export interface KillSwitchParts {
  readonly store: KillStore;
  readonly audit: Pick<Audit, 'append' | 'note'>;
  readonly runs: EndableRuns;
  readonly sentinel: Sentinel;
  /** Whether there is an engagement of this id. */
  readonly knows: (engagement: string) => boolean;
  /** Processes that outlived the end of their run, since the start. */
  readonly survivors: () => number;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly times?: Partial<KillTimes>;
}

const TIMES: KillTimes = { retryMs: 200, laterMs: 5000, writeMs: 5000, endMs: 20_000 };
/** Under which the switch for everything is kept; no engagement has this id. */
const EVERYTHING = '';

/**
 * Makes the kill switch. It knows nothing, and therefore refuses everything, until `load` has resolved. Being in force,
 * ending runs and being durable are three steps in this order, and no later one can hold up an earlier one.
 */
export function createKillSwitch(parts: KillSwitchParts): KillSwitchMachine {
  return new KillMachine(parts);
}

interface Ended {
  readonly endedRuns: number;
  readonly survivors: number;
  readonly isOver: boolean;
}

class KillMachine implements KillSwitchMachine {
  readonly #parts: KillSwitchParts;
  readonly #times: KillTimes;
  readonly #keeper: Keeper;
  readonly #on = new Map<string, StoredKill>();
  readonly #listeners = new Set<() => void>();
  #file: StoredKill | undefined;
  #isLoaded = false;
  #isClearing = false;
  #clearAt = Number.NEGATIVE_INFINITY;
  #lifting: Promise<unknown> = Promise.resolve();

  constructor(parts: KillSwitchParts) {
    this.#parts = parts;
    this.#times = { ...TIMES, ...parts.times };
    this.#keeper = createKeeper({ ...parts, times: this.#times });
  }

  async load(): Promise<void> {
    for (const kill of await this.#parts.store.all()) {
      // A signal may have come first: that one is stored by whoever pulled it.
      if (!this.#on.has(keyOf(kill.engagement))) this.#on.set(keyOf(kill.engagement), kill);
    }
    this.#isLoaded = true;
    this.sentinelChanged();
    this.#changed();
  }

  check(engagement: string, trace: RuleTrace = NO_TRACE): void {
    const refusal = this.#refusal(engagement);
    if (refusal !== undefined) throw refusal;
    trace.pass('kill.switch', { datum: 'off' });
  }

  isOn(engagement: string): boolean {
    return this.#refusal(engagement) !== undefined;
  }

  state(): KillState {
    this.sentinelChanged();
    const kills = [...this.#on.values(), ...(this.#file === undefined ? [] : [this.#file])];
    const switches = kills.sort((a, b) => keyOf(a.engagement).localeCompare(keyOf(b.engagement))).map(entryOf);
    return { active: switches.length > 0, switches };
  }

  async engage(request: KillRequest): Promise<KillReport> {
    this.#requireKnown(request);
    const startedAt = this.#parts.clock.monotonic();
    const { kill, isAgain } = this.#switchOn(request);
    const ending = this.#endRuns(kill.engagement);
    // The act does not wait for its record: nobody's full disk keeps a scan alive.
    this.#parts.audit.note(killEvent('kill.engaged', request, { reason: cleanReason(request), again: isAgain }));
    const [ended, isKept] = await Promise.all([ending, this.#keep(kill)]);
    const seconds = (this.#parts.clock.monotonic() - startedAt) / 1000;
    this.#parts.recorder.observe('sallyport_kill_switch_seconds', {}, seconds);
    const { engagement } = kill;
    this.#parts.log.warn('kill.engaged', { engagement, by: request.by, ...ended, seconds, durable: isKept });
    const { isOver, ...counts } = ended;
    if (!isKept || !isOver) throw incomplete(isKept, counts);
    return { ...this.state(), ...counts };
  }

  engageBySignal(): void {
    this.engage({ by: 'signal', reason: 'SIGUSR2' }).catch((err: unknown) =>
      this.#parts.log.error('kill.failed', { engagement: null, what: 'signal', err }),
    );
  }

  lift(request: KillRequest): Promise<KillState> {
    // One after the other: the second of two must find that there is nothing left to lift, and not write that it did.
    const seen = this.#on.get(request.engagement ?? EVERYTHING);
    const mine = this.#lifting.then(() => this.#lift(request, seen));
    this.#lifting = mine.catch(() => undefined);
    return mine;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  sentinelChanged(): void {
    const isPresent = this.#isFileThere();
    if (isPresent && this.#file === undefined) this.#fileAppeared();
    if (!isPresent && this.#file !== undefined && !this.#isClearing) void this.#fileGone();
  }

  #isFileThere(): boolean {
    try {
      return this.#parts.sentinel.isPresent();
    } catch {
      return true; // whoever can make the look fail must not switch the kill off
    }
  }

  #fileAppeared(): void {
    const reason = 'the sentinel file is there, or cannot be looked at';
    this.#file = { engagement: null, since: this.#parts.clock.now(), by: 'file', reason };
    const ending = this.#endRuns(null);
    this.#parts.audit.note(killEvent('kill.engaged', { by: 'file', reason }, { reason, again: false }));
    this.#changed();
    void ending.then((ended) => this.#parts.log.warn('kill.engaged', { engagement: null, by: 'file', ...ended }));
  }

  /** Lifted once that is written down; until then it stays on, and is tried again at a later look. */
  async #fileGone(): Promise<void> {
    const { audit, clock, log } = this.#parts;
    if (clock.monotonic() < this.#clearAt) return;
    this.#isClearing = true;
    const reason = 'the sentinel file is gone';
    try {
      await audit.append(killEvent('kill.lifted', { by: 'file', reason }, { reason }));
      if (this.#isFileThere()) {
        audit.note(killEvent('kill.engaged', { by: 'file', reason: 'it is there again' }, { again: true }));
      } else {
        this.#file = undefined;
        this.#changed();
        log.warn('kill.lifted', { engagement: null, by: 'file' });
      }
    } catch (err) {
      this.#clearAt = clock.monotonic() + this.#times.laterMs;
      log.error('kill.failed', { engagement: null, what: 'lift', err });
    } finally {
      this.#isClearing = false;
    }
  }

  #refusal(engagement: string): SallyportError | undefined {
    this.sentinelChanged();
    if (!this.#isLoaded) return unknownRefusal();
    const kill = this.#on.get(EVERYTHING) ?? this.#file ?? this.#on.get(engagement);
    return kill && killRefusal(kill);
  }

  /** A mistyped id must not look like a kill that found nothing to end. */
  #requireKnown({ engagement }: KillRequest): void {
    if (engagement === undefined || this.#on.has(engagement) || this.#parts.knows(engagement)) return;
    if (this.#parts.runs.subjects().some((subject) => subject.engagement === engagement)) return;
    throw unknownEngagement();
  }

  #switchOn(request: KillRequest): { readonly kill: StoredKill; readonly isAgain: boolean } {
    const key = request.engagement ?? EVERYTHING;
    const known = this.#on.get(key);
    // A copy: a lift that is on its way sees that it was pulled again, and leaves it.
    const kill: StoredKill = known
      ? { ...known }
      : {
          engagement: request.engagement ?? null,
          since: this.#parts.clock.now(),
          by: request.by,
          reason: cleanReason(request) || 'no reason given',
        };
    this.#on.set(key, kill);
    this.#changed();
    return { kill, isAgain: known !== undefined };
  }

  #keep(kill: StoredKill): Promise<boolean> {
    return this.#keeper.keep(kill, () => this.#on.get(keyOf(kill.engagement)) === kill);
  }

  /** Told at once, before this returns; never rejects. */
  async #endRuns(engagement: string | null): Promise<Ended> {
    const { runs, survivors, clock, log } = this.#parts;
    const before = survivors();
    let endedRuns = 0;
    const why = { engagement, since: clock.now() };
    try {
      const ending = runs.endWhere((subject) => {
        if (engagement !== null && subject.engagement !== engagement) return undefined;
        endedRuns += 1;
        return killRefusal(why);
      });
      const isOver = (await within(ending, this.#times.endMs)) !== undefined;
      return { endedRuns, survivors: survivors() - before, isOver };
    } catch (err) {
      log.error('kill.failed', { engagement, what: 'runs', err });
      return { endedRuns, survivors: survivors() - before, isOver: false };
    }
  }

  /** Lifts only what was on when it was asked for: whoever pulled it since has a reason that the other did not know. */
  async #lift(request: KillRequest, seen: StoredKill | undefined): Promise<KillState> {
    const { audit, store, log } = this.#parts;
    const kill = this.#requireLiftable(request);
    if (kill !== seen) throw pulledAgain(kill);
    const key = keyOf(kill.engagement);
    const { reason: pulledFor, by: pulledBy, since } = kill;
    const pulled = { by: pulledBy, since: new Date(since).toISOString(), reason: pulledFor };
    await audit.append(killEvent('kill.lifted', request, { reason: cleanReason(request), pulled }));
    try {
      if (this.#on.get(key) !== kill) throw pulledAgain(kill);
      await store.remove(kill.engagement);
      if (this.#on.get(key) !== kill) throw pulledAgain(kill);
    } catch (thrown) {
      // The record says that it was lifted: it has to say that it was not, and the store may have forgotten it already.
      audit.note(killEvent('kill.engaged', request, { reason: 'it could not be lifted', again: true }));
      const now = this.#on.get(key);
      if (now !== undefined) void this.#keep(now);
      throw thrown;
    }
    this.#on.delete(key);
    this.#changed();
    log.warn('kill.lifted', { engagement: kill.engagement, by: request.by });
    return this.state();
  }

  #requireLiftable(request: KillRequest): StoredKill {
    this.sentinelChanged();
    if (request.engagement === undefined && this.#file !== undefined) throw fileThere();
    const kill = this.#on.get(request.engagement ?? EVERYTHING);
    if (kill === undefined) throw unliftable('This kill switch is not on; GET /v1/kill lists those that are.');
    if (cleanReason(request) === '') throw unliftable('Say why it is lifted: the reason is recorded.');
    return kill;
  }

  #changed(): void {
    const { recorder } = this.#parts;
    const isAll = this.#on.has(EVERYTHING) || this.#file !== undefined;
    const single = [...this.#on.keys()].some((key) => key !== EVERYTHING);
    recorder.gauge('sallyport_kill_switch_active', { scope: 'all' }, Number(isAll));
    recorder.gauge('sallyport_kill_switch_active', { scope: 'engagement' }, Number(single));
    for (const listener of this.#listeners) listener();
  }
}

function keyOf(engagement: string | null): string {
  return engagement ?? EVERYTHING;
}

function entryOf({ engagement, since, by, reason }: StoredKill): KillEntry {
  return { engagement, since: new Date(since).toISOString(), by, reason };
}
