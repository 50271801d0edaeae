import type { AuditEvent } from '../../../src/core/audit/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { createKillSwitch } from '../../../src/core/kill/kill-switch.ts';
import type { EndableRuns, KillStore, KillSwitchMachine, StoredKill } from '../../../src/core/kill/types.ts';
import type { Log } from '../../../src/core/log.ts';
import type { LiveSubject } from '../../../src/core/run/live-runs.ts';
import { memoryRecorder } from '../../fixtures/engine.ts';

/** A live run that is over one turn of the loop after it was told to end. */
export interface FakeRun {
  readonly subject: LiveSubject;
  why: SallyportError | undefined;
}

/** Live runs that note why they were ended. */
export interface FakeRuns extends EndableRuns {
  readonly all: FakeRun[];
  add(runId: string, changes?: Partial<LiveSubject>): FakeRun;
  /** Each run's error code; undefined for one that goes on. */
  codes(): Record<string, string | undefined>;
  /** Ends are never over from here on. */
  hang(): void;
}

/** Makes an empty set of live runs. */
export function fakeRuns(): FakeRuns {
  const all: FakeRun[] = [];
  let isHanging = false;
  return {
    all,
    add(runId, changes = {}) {
      const base = { owner: 'key_agent', tool: 'echo', engagement: 'acme', risk: 'active' } as const;
      const run: FakeRun = { subject: { ...base, ...changes, runId }, why: undefined };
      all.push(run);
      return run;
    },
    codes: () => Object.fromEntries(all.map(({ subject, why }) => [subject.runId, why?.code])),
    hang: () => void (isHanging = true),
    subjects: () => all.map(({ subject }) => subject),
    async endWhere(judge) {
      let count = 0;
      for (const run of all) {
        const why = judge(run.subject);
        if (why === undefined) continue;
        run.why ??= why;
        count += 1;
      }
      if (isHanging) await new Promise(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      return count;
    },
  };
}

/** Everything around a kill switch, and the ways in which it can fail. */
export interface KillRig {
  readonly kill: KillSwitchMachine;
  readonly runs: FakeRuns;
  readonly stored: Map<string | null, StoredKill>;
  readonly audited: AuditEvent[];
  readonly logged: string[];
  readonly recorder: ReturnType<typeof memoryRecorder>;
  /** What is broken now. */
  readonly broken: { store: boolean; audit: boolean; file: boolean };
  /** Whether the sentinel file is there. */
  readonly file: { isThere: boolean };
  readonly clock: { at: number };
  /** Called while a lift is written down. */
  readonly during: { append?: () => unknown; remove?: () => unknown };
}

/** Makes a kill switch over a store in memory, loaded unless told otherwise. */
export async function killRig({
  stored = new Map<string | null, StoredKill>(),
  isLoaded = true,
  survivors = () => 0,
}: {
  readonly stored?: Map<string | null, StoredKill>;
  readonly isLoaded?: boolean;
  readonly survivors?: () => number;
} = {}): Promise<KillRig> {
  const runs = fakeRuns();
  const audited: AuditEvent[] = [];
  const logged: string[] = [];
  const recorder = memoryRecorder();
  const broken = { store: false, audit: false, file: false };
  const file = { isThere: false };
  const clock = { at: 1_000_000 };
  const during: KillRig['during'] = {};
  const kill = createKillSwitch({
    store: storeIn(stored, { broken, during }),
    audit: {
      note: (event) => void audited.push(event),
      append: async (event) => {
        await during.append?.();
        if (broken.audit) throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
        audited.push(event);
        return {} as never;
      },
    },
    runs,
    sentinel: {
      isPresent: () => {
        if (broken.file) throw new Error('EIO');
        return file.isThere;
      },
    },
    knows: (engagement) => ['acme', 'other'].includes(engagement),
    survivors,
    clock: { now: () => clock.at, monotonic: () => clock.at },
    recorder,
    log: logTo(logged),
    times: { retryMs: 1, laterMs: 5, writeMs: 50, endMs: 50 },
  });
  if (isLoaded) await kill.load();
  return { kill, runs, stored, audited, logged, recorder, broken, file, clock, during };
}

function storeIn(
  stored: Map<string | null, StoredKill>,
  { broken, during }: Pick<KillRig, 'broken' | 'during'>,
): KillStore {
  const write = async (work: () => void) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (broken.store) throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store cannot be written.');
    work();
  };
  return {
    all: () => write(() => undefined).then(() => [...stored.values()]),
    put: (kill) => write(() => void stored.set(kill.engagement, kill)),
    // Writes keep their order, as those of the one writer of a real store.
    remove: (engagement) => {
      during.remove?.();
      return write(() => void stored.delete(engagement));
    },
  };
}

function logTo(logged: string[]): Log {
  const add = (event: string) => void logged.push(event);
  return { info: add, warn: add, error: add };
}
