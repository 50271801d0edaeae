import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../schemas/run-record.ts';
import type { Store, StoredEvent } from '../src/core/store/types.ts';
import { type Connection, openConnection } from '../src/store/connection.ts';
import { sampleRun } from './scale-data.ts';

/** Events on their way at once, and inserts of one transaction of the bare loop. */
export const WIDTH = 64;

/** Runs of an owner of their own that go on, to each of which events are added. */
export interface EventWriter {
  /** Adds so many events in all, `WIDTH` on their way at once. Answer: events in a second. */
  write(events: number): Promise<number>;
}

/** Makes the runs that `write` adds events to. */
export async function createEventWriter(store: Store): Promise<EventWriter> {
  const runs = Array.from({ length: WIDTH }, newRun);
  await Promise.all(runs.map((run) => store.runs.create(run, { event: eventOf(1) })));
  let seq = 1;
  const addTo = async ({ runId }: Run, first: number, count: number): Promise<void> => {
    for (let at = 0; at < count; at += 1) {
      const change = { runId, from: 'running', patch: {}, events: [eventOf(first + at)] } as const;
      if (!(await store.runs.change(change))) throw new Error(`${runId} did not take an event`);
    }
  };
  return {
    write: async (events) => {
      const each = Math.ceil(events / WIDTH);
      const start = performance.now();
      await Promise.all(runs.map((run) => addTo(run, seq + 1, each)));
      seq += each;
      return rateOf(each * WIDTH, start);
    },
  };
}

/** Creates a run and takes it to its end with five findings, each write acknowledged before the next. */
export async function recordRun(store: Store): Promise<void> {
  const { result, coverage, observations } = sampleRun(1000 + randomBytes(3).readUIntBE(0, 3));
  const run = newRun();
  await store.runs.create(run, { event: eventOf(1) });
  const patch = { state: 'succeeded', endedAt: run.createdAt } as const;
  const events = [eventOf(2)];
  const change = { runId: run.runId, from: 'running', patch, events, observations, result, coverage } as const;
  if (!(await store.runs.change(change))) throw new Error(`${run.runId} did not end`);
}

/** SQLite and nothing else: the same settings, the same file system, one table of events. */
export interface BareLoop {
  /** Inserts so many events, so many in one transaction. Answer: events in a second. */
  write(events: number, ofOneTransaction: number): number;
  close(): void;
}

/** Makes the file. */
export function createBareLoop(directory: string): BareLoop {
  const path = join(directory, 'bare.db');
  writeFileSync(path, '');
  const connection: Connection = openConnection(path, { mode: 'create' });
  connection.exec(`CREATE TABLE events (run INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    type TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (run, seq)) STRICT, WITHOUT ROWID`);
  let seq = 0;
  const insert = (): void => {
    seq += 1;
    const { at, type, data } = eventOf(seq);
    connection.run('INSERT INTO events VALUES (?, ?, ?, ?, ?)', seq % WIDTH, seq, at, type, JSON.stringify(data));
  };
  return {
    write: (events, ofOneTransaction) => {
      const start = performance.now();
      for (let done = 0; done < events; done += ofOneTransaction) {
        connection.exec('BEGIN IMMEDIATE');
        for (let at = 0; at < ofOneTransaction; at += 1) insert();
        connection.exec('COMMIT');
      }
      return rateOf(events, start);
    },
    close: () => connection.close(),
  };
}

function newRun(): Run {
  const { run } = sampleRun(1000);
  return {
    ...run,
    runId: `run_${randomBytes(8).toString('hex')}`,
    owner: 'key_writing',
    state: 'running',
    endedAt: null,
    createdAt: new Date().toISOString(),
  };
}

function eventOf(seq: number): StoredEvent {
  return { seq, at: Date.now(), type: 'progress', data: { percent: seq % 100, ratePerSecond: 1200, etaSeconds: 30 } };
}

function rateOf(events: number, start: number): number {
  return (events / (performance.now() - start)) * 1000;
}
