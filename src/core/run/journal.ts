import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RunResult } from '../../../schemas/run.ts';
import type { Run, RunProgress, RunState } from '../../../schemas/run-record.ts';
import type { Clock } from '../clock.ts';
import type { FindingText } from '../findings/field-text.ts';
import { toObservation } from '../findings/observation.ts';
import { createTally, MAX_FINDINGS_OF_RUN } from '../findings/tally.ts';
import type { Coverage, FindingDraft, Observation } from '../findings/types.ts';
import type { Log } from '../log.ts';
import type { RunChange, RunStore, StoredEvent, StoredJob } from '../store/types.ts';
import type { ToolEvent } from '../tool/definition.ts';
import type { RunHub } from './hub.ts';
import { cutShort } from './record.ts';
import { step } from './states.ts';

/** Time in which events are gathered into one write. */
const GATHER_MS = 250;
/** Shortest time between two stored progress events; those between are shown to whoever follows live. */
const PROGRESS_MS = 1000;
/** Observations in one write, so that other runs' writes come in between; drafts that are read in one turn of the loop. */
const OBSERVATIONS_AT_ONCE = 1000;
const DRAFTS_AT_ONCE = 200;

/** What a journal stands on. */
export interface JournalParts {
  readonly runs: Pick<RunStore, 'change'>;
  readonly hub: RunHub;
  readonly clock: Clock;
  readonly log: Log;
}

/** How a run ended. */
export interface RunEnd {
  readonly state: RunState;
  readonly patch: Partial<Run>;
  readonly result?: RunResult;
  readonly coverage?: Coverage;
  readonly findings?: readonly FindingDraft[];
  /** The findings are everything: what was stated live and is not among them is taken back. */
  readonly isWhole?: boolean;
}

/**
 * The durable life of one run. Each state is stored before anybody hears of it; what the store cannot take is kept
 * for the next write.
 */
export interface Journal {
  readonly runId: string;
  /** The record as it was stored last. */
  run(): Run;
  /** From `awaiting_approval` to `queued`. Rejects when it no longer waits for people. */
  consent(): Promise<void>;
  /** From `queued` to `running`. Rejects when the run is no longer queued: it must not start. */
  start(patch: Partial<Run>, text: FindingText): Promise<void>;
  /** Fields that are other ones now, of a run that is `running`; of any other nothing changes. */
  amend(patch: Partial<Run>): Promise<void>;
  /** Progress or a finding of the running tool. */
  note(event: ToolEvent): void;
  /** To a final state. Rejects with ERR_STORE_UNAVAILABLE when it cannot be stored. */
  end(end: RunEnd): Promise<void>;
  /** The run found more than is kept: its answer is not complete. */
  isOverLimit(): boolean;
  /** A new job for a run that waits. */
  keepJob(job: StoredJob): Promise<boolean>;
}

/** The journal of a run whose record is stored, `lastSeq` being the number of its last event. */
export function openJournal(parts: JournalParts, stored: { run: Run; lastSeq: number }): Journal {
  return new RunJournal(parts, stored);
}

/** What a run says that found more than is kept. */
export const MORE_THAN_KEPT = `The run found more than is kept of one run (${MAX_FINDINGS_OF_RUN}).`;
/** What is not kept was not looked at, as far as a comparison can know. */
const TOO_MANY: Coverage = { areas: [], missing: [MORE_THAN_KEPT] };

type Extras = Pick<RunEnd, 'result' | 'coverage'> & Pick<RunChange, 'withdrawn'> & { readonly job?: StoredJob | null };
type Noted = Omit<StoredEvent, 'seq'>;

class RunJournal implements Journal {
  readonly runId: string;
  readonly #parts: JournalParts;
  #tally = createTally();
  readonly #seen = new Map<string, Observation>();
  /** Fingerprints of everything stated so far. */
  readonly #live = new Set<string>();
  /** Stated and taken back; kept for an end that has to be stored again. */
  readonly #withdrawn = new Set<string>();
  #events: Noted[] = [];
  #record: Run;
  #seq: number;
  #text: FindingText | undefined;
  #progress: RunProgress | undefined;
  #progressAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: JournalParts, stored: { run: Run; lastSeq: number }) {
    this.#parts = parts;
    this.#record = stored.run;
    this.#seq = stored.lastSeq;
    this.runId = stored.run.runId;
  }

  run(): Run {
    return this.#record;
  }

  async consent(): Promise<void> {
    const { approval } = this.#record;
    const patch = approval === null ? {} : { approval: { ...approval, approvals: approval.quorum } };
    if (!(await this.#move('queued', patch, {}))) throw new Error('the run no longer waits for consent');
  }

  async start(patch: Partial<Run>, text: FindingText): Promise<void> {
    this.#text = text;
    const isStarted = await this.#move('running', patch, { job: null });
    if (!isStarted) throw new Error('the run is no longer queued: it must not start');
  }

  async amend(patch: Partial<Run>): Promise<void> {
    if (this.#record.state === 'running') await this.#inTurn(() => this.#change('running', patch, {}));
  }

  note(event: ToolEvent): void {
    if (event.kind === 'finding') {
      const seen = event.draft === undefined ? undefined : this.#observe(event.draft);
      if (seen !== undefined) this.#add('finding', findingEvent(seen, event.message));
      return;
    }
    const { kind: _progress, ...known } = event;
    const now = this.#parts.clock.now();
    this.#progress = { ...known, at: new Date(now).toISOString() };
    this.#parts.hub.show(this.runId, { type: 'progress', data: this.#progress });
    if (now - this.#progressAt < PROGRESS_MS) return;
    this.#progressAt = now;
    this.#add('progress', this.#progress);
  }

  async end({ state, patch, findings, isWhole = false, coverage, result }: RunEnd): Promise<void> {
    await this.#settle(findings ?? [], isWhole);
    while (this.#seen.size > OBSERVATIONS_AT_ONCE) await this.#inTurn(() => this.#change(this.#record.state, {}, {}));
    const lacks = this.isOverLimit();
    const [kept, answer] = lacks ? [TOO_MANY, result && cutShort(result, MORE_THAN_KEPT)] : [coverage, result];
    const extras: Extras = {
      withdrawn: [...this.#withdrawn],
      ...(kept === undefined ? {} : { coverage: kept }),
      ...(answer === undefined ? {} : { result: answer }),
      job: null,
    };
    const degraded = [...(patch.degraded ?? this.#record.degraded), MORE_THAN_KEPT];
    const told = lacks ? { complete: false, degraded } : {};
    if (!(await this.#move(state, { ...patch, ...this.#gathered(), ...told }, extras))) {
      throw new Error(`the run left the state ${this.#record.state} behind our back`);
    }
  }

  isOverLimit(): boolean {
    return this.#tally.counts().isOverLimit;
  }

  /** A whole result knows better than the stream did, and what it does not state is taken back; a part only adds. */
  async #settle(findings: readonly FindingDraft[], isWhole: boolean): Promise<void> {
    if (isWhole) {
      for (const fingerprint of this.#live) this.#withdrawn.add(fingerprint);
      this.#live.clear();
      this.#seen.clear();
      this.#tally = createTally();
    }
    for (const [at, draft] of findings.entries()) {
      this.#observe(draft);
      // A target that answers everywhere: thousands of findings must not hold up everybody's requests.
      if (at % DRAFTS_AT_ONCE !== DRAFTS_AT_ONCE - 1) continue;
      if (this.isOverLimit()) break;
      await nextTurn();
    }
    for (const fingerprint of this.#live) this.#withdrawn.delete(fingerprint);
  }

  keepJob(job: StoredJob): Promise<boolean> {
    return this.#inTurn(() => this.#change('queued', {}, { job }));
  }

  #gathered(): Partial<Run> {
    const { total, bySeverity } = this.#tally.counts();
    return {
      // A journal that was opened after a restart has counted nothing: what is stored stays.
      ...(this.#text === undefined ? {} : { findings: { total, bySeverity } }),
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
    };
  }

  #observe(draft: FindingDraft): Observation | undefined {
    if (this.#text === undefined) return undefined;
    const observation = toObservation(draft, this.#text);
    if (this.#tally.add(observation) === 'over_limit') return undefined;
    this.#seen.set(observation.fingerprint, observation);
    this.#live.add(observation.fingerprint);
    return observation;
  }

  #add(type: StoredEvent['type'], data: StoredEvent['data']): void {
    this.#events.push({ at: this.#parts.clock.now(), type, data });
    this.#timer ??= setTimeout(() => void this.#flush(), GATHER_MS).unref();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    if (this.#events.length === 0 && this.#seen.size === 0) return;
    try {
      if (await this.#inTurn(() => this.#change('running', this.#gathered(), {}))) this.#parts.hub.wake(this.runId);
      if (this.#seen.size > 0) this.#timer ??= setTimeout(() => void this.#flush(), GATHER_MS).unref();
    } catch (err) {
      this.#parts.log.error('store.failed', { runId: this.runId, err });
    }
  }

  async #move(to: RunState, patch: Partial<Run>, extras: Extras): Promise<boolean> {
    clearTimeout(this.#timer);
    const isChanged = await this.#inTurn(async () => {
      const from = this.#record.state;
      const error = patch.error === undefined || patch.error === null ? {} : { error: patch.error };
      const state = step(from, to);
      const event: Noted = { at: this.#parts.clock.now(), type: 'state', data: { state, ...error } };
      this.#events.push(event);
      try {
        return await this.#change(from, { ...patch, state }, extras);
      } catch (thrown) {
        // The next try tells it anew.
        this.#events = this.#events.filter((each) => each !== event);
        throw thrown;
      }
    });
    if (isChanged) this.#parts.hub.wake(this.runId);
    return isChanged;
  }

  /** One write after the other: events keep their order. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #change(from: RunState, patch: Partial<Run>, extras: Extras): Promise<boolean> {
    const noted = this.#events;
    this.#events = [];
    const events = noted.map((event, at) => ({ seq: this.#seq + at + 1, ...event }));
    const observations = [...this.#seen.values()].slice(0, OBSERVATIONS_AT_ONCE);
    for (const { fingerprint } of observations) this.#seen.delete(fingerprint);
    try {
      const isChanged = await this.#parts.runs.change({
        runId: this.runId,
        from,
        patch,
        events,
        observations,
        ...extras,
      });
      if (!isChanged) return false;
      this.#seq += events.length;
      this.#record = { ...this.#record, ...patch };
      return true;
    } catch (error) {
      // Nothing of it was stored: it goes with the next write, unless something newer was seen meanwhile.
      this.#events = [...noted, ...this.#events];
      for (const each of observations) if (!this.#seen.has(each.fingerprint)) this.#seen.set(each.fingerprint, each);
      throw error;
    }
  }
}

function findingEvent({ fingerprint, draft }: Observation, message: string): StoredEvent['data'] {
  const { kind, target, address, port, protocol, severity, title } = draft;
  return {
    message,
    finding: {
      fingerprint,
      kind,
      target,
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
      ...(protocol === undefined ? {} : { protocol }),
      severity,
      title,
    },
  };
}
