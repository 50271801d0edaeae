import { SallyportError } from '../core/errors.ts';
import type { StreamName } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { FIRST_FINAL, STREAM } from './numbers.ts';
import { pack } from './pack.ts';

/** Bytes of one chunk at most: a read from the middle unpacks no more than that for nothing. */
const MAX_CHUNK_BYTES = 262_144;
/** What one step of a sweep removes at most, so that other writes do not wait for all of it. */
const STEP_RUNS = 64;
const STEP_BYTES = 33_554_432;
/** Pages that one step gives back to the file system. */
const STEP_PAGES = 8192;

/** One step of a sweep; `isDone` when nothing more is to be removed. */
export interface SweepStep {
  readonly runs: readonly string[];
  readonly bytes: number;
  readonly keptBytes: number;
  readonly isDone: boolean;
}

function append(
  connection: Connection,
  { runId, stream, bytes, now }: { runId: string; stream: StreamName; bytes: Uint8Array; now: number },
): void {
  const run = connection.get<{ num: number; state: number }>('SELECT num, state FROM runs WHERE id = ?', runId);
  if (run === undefined) throw new SallyportError('ERR_RUN_UNKNOWN', 'There is no such run.');
  let start = keptBytes(connection, run.num, stream);
  let added = 0;
  for (let at = 0; at < bytes.length; at += MAX_CHUNK_BYTES) {
    const piece = bytes.subarray(at, at + MAX_CHUNK_BYTES);
    const { codec, data } = pack(piece);
    const sql = 'INSERT INTO chunks (run, stream, start, length, codec, data) VALUES (?, ?, ?, ?, ?, ?)';
    connection.run(sql, run.num, STREAM[stream], start, piece.length, codec, data);
    start += piece.length;
    added += data.length;
  }
  if (added === 0) return;
  const sql = 'INSERT INTO run_output VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes';
  connection.run(sql, run.num, run.state >= FIRST_FINAL ? now : null, added);
  addToTotal(connection, added);
}

/** Bytes of a stream that are kept. */
export function keptBytes(connection: Connection, run: number, stream: StreamName): number {
  const sql = 'SELECT start + length AS total FROM chunks WHERE run = ? AND stream = ? ORDER BY start DESC LIMIT 1';
  return connection.get<{ total: number }>(sql, run, STREAM[stream])?.total ?? 0;
}

function sweepStep(connection: Connection, limits: { before: number; maxBytes: number }): SweepStep {
  const sql = `SELECT run, runs.id, ended, bytes FROM run_output JOIN runs ON runs.num = run_output.run
    WHERE ended IS NOT NULL ORDER BY ended, run LIMIT ${STEP_RUNS}`;
  const oldest = connection.all<{ run: number; id: string; ended: number; bytes: number }>(sql);
  const swept: string[] = [];
  let bytes = 0;
  let kept = totalBytes(connection);
  for (const each of oldest) {
    if ((each.ended >= limits.before && kept <= limits.maxBytes) || bytes >= STEP_BYTES) break;
    dropOutput(connection, each.run);
    connection.run(
      "UPDATE runs SET record = json_set(record, '$.stdout.keptBytes', 0, '$.stderr.keptBytes', 0) WHERE num = ?",
      each.run,
    );
    swept.push(each.id);
    bytes += each.bytes;
    kept -= each.bytes;
  }
  if (swept.length > 0) connection.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
  const next = oldest[swept.length];
  const isDone = swept.length === 0 || (next !== undefined && next.ended >= limits.before && kept <= limits.maxBytes);
  return { runs: swept, bytes, keptBytes: kept, isDone };
}

/** Removes the kept output of one run. */
export function dropOutput(connection: Connection, run: number): void {
  const bytes = connection.get<{ bytes: number }>('SELECT bytes FROM run_output WHERE run = ?', run)?.bytes;
  if (bytes === undefined) return;
  connection.run('DELETE FROM chunks WHERE run = ?', run);
  connection.run('DELETE FROM run_output WHERE run = ?', run);
  addToTotal(connection, -bytes);
}

function totalBytes(connection: Connection): number {
  return connection.get<{ value: number }>("SELECT value FROM meta WHERE name = 'outputBytes'")?.value ?? 0;
}

function addToTotal(connection: Connection, bytes: number): void {
  connection.run("UPDATE meta SET value = value + ? WHERE name = 'outputBytes'", bytes);
}

/** Changes of kept output. */
export const OUTPUT_WRITES = { append, sweepStep };
