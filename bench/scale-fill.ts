import assert from 'node:assert/strict';
import { statfs } from 'node:fs/promises';
import type { RunState } from '../schemas/run-record.ts';
import type { Store, StoredEvent } from '../src/core/store/types.ts';
import { type Connection, openConnection } from '../src/store/connection.ts';
import { RUN_WRITES } from '../src/store/run-writes.ts';
import { storePath } from '../src/store/store-file.ts';
import { openStore } from '../src/store/store.ts';
import { createdOf, runIdOf, sampleRun } from './scale-data.ts';

const RUNS_OF_A_TRANSACTION = 10_000;
/** More than a run was seen to take with the log (about 7 kB), and room that is left to others. */
const BYTES_OF_A_RUN = 10_000;
const SPARE_BYTES = 1_073_741_824;
const PROBES = 50;

/** What is in a filled store. */
export interface Filled {
  readonly runs: number;
  /** Findings, each counted once however many runs saw it. */
  readonly findings: number;
  /** Findings as single runs saw them. */
  readonly observations: number;
}

/**
 * Fills an empty data directory with ended runs. It goes around the store's thread and its syncs, since an acknowledged
 * write of each run would take hours, but the rows are made by the store's own writes. Throws when the disk has no room.
 */
export async function fillStore(dataDir: string, runs: number): Promise<Filled> {
  await requireRoom(dataDir, runs);
  await (await openStore(dataDir)).close();
  const connection = openConnection(storePath(dataDir), { mode: 'write' });
  try {
    connection.exec('PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1048576');
    for (let from = 0; from < runs; from += RUNS_OF_A_TRANSACTION) {
      const until = Math.min(runs, from + RUNS_OF_A_TRANSACTION);
      connection.exec('BEGIN IMMEDIATE');
      for (let n = from; n < until; n += 1) addRun(connection, n);
      connection.exec('COMMIT');
      if (until % (RUNS_OF_A_TRANSACTION * 10) === 0) console.log(`  ${until} of ${runs} runs are there`);
    }
    connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return { runs, findings: count(connection, 'findings'), observations: count(connection, 'observations') };
  } finally {
    connection.close();
  }
}

/** Reads runs, results and findings back through the store and throws where they are not what was made. */
export async function verifyFilled(store: Store, runs: number): Promise<void> {
  for (let probe = 0; probe < PROBES; probe += 1) {
    const n = Math.floor((probe * (runs - 1)) / (PROBES - 1));
    const { run, result, coverage, observations } = sampleRun(n);
    assert.deepEqual(await store.runs.get(run.runId), run);
    assert.deepEqual(await store.runs.result(run.runId), result);
    assert.deepEqual(await store.runs.coverage(run.runId), coverage);
    const seen = await store.findings.byFingerprint(run.runId, { limit: observations.length + 1 });
    const made = observations.map(({ fingerprint, digest }) => `${fingerprint} ${digest}`).toSorted();
    assert.deepEqual(
      seen.map(({ finding, digest }) => `${finding.fingerprint} ${digest}`),
      made,
    );
  }
  const newest = await store.runs.list({ limit: 1 });
  assert.equal(newest.items[0]?.runId, runIdOf(runs - 1));
}

async function requireRoom(dataDir: string, runs: number): Promise<void> {
  const { bavail, bsize } = await statfs(dataDir);
  const needed = runs * BYTES_OF_A_RUN + SPARE_BYTES;
  if (bavail * bsize < needed) {
    throw new Error(`${runs} runs need ${Math.ceil(needed / 1e9)} GB in ${dataDir}; set TMPDIR to a place with room`);
  }
}

function addRun(connection: Connection, n: number): void {
  const { run, result, coverage, observations } = sampleRun(n);
  RUN_WRITES.createRun(connection, { run, event: stateEvent(1, { at: createdOf(n), state: 'queued' }) });
  const events = [
    stateEvent(2, { at: createdOf(n) + 20, state: 'running' }),
    stateEvent(3, { at: createdOf(n) + 900, state: run.state }),
  ];
  const change = { runId: run.runId, from: run.state, patch: {}, events, observations, result, coverage };
  RUN_WRITES.changeRun(connection, { change, now: createdOf(n) + 900 });
}

function stateEvent(seq: number, { at, state }: { at: number; state: RunState }): StoredEvent {
  return { seq, at, type: 'state', data: { state, at: new Date(at).toISOString() } };
}

function count(connection: Connection, table: 'findings' | 'observations'): number {
  return connection.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0;
}
