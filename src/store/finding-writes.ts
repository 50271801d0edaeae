import { SallyportError } from '../core/errors.ts';
import type { Observation } from '../core/findings/types.ts';
import type { Connection } from './connection.ts';
import { KIND, SEVERITY } from './numbers.ts';

/** Characters of a target that observations are ordered by: a position in a list stays short. */
const PLACE_LENGTH = 64;

/** What one run saw, and when. */
export interface Sighting {
  readonly run: { readonly num: number; readonly owner: number; readonly tool: number };
  /** Milliseconds since the epoch. A finding that this run has stated before keeps the earlier time. */
  readonly seen: number;
  readonly observations: readonly Observation[];
}

interface FindingRow {
  readonly num: number;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly last_run: number;
}

/** Keeps what a run saw: its own snapshot, and the finding of its owner that all runs share. */
export function observe(connection: Connection, { run, seen, observations }: Sighting): void {
  for (const observation of observations) {
    const fingerprint = bytesOf(observation.fingerprint);
    const known = connection.get<FindingRow>(
      'SELECT num, first_seen, last_seen, last_run FROM findings WHERE owner = ? AND fingerprint = ?',
      run.owner,
      fingerprint,
    );
    const finding = known?.num ?? addFinding(connection, { run, seen, observation });
    const first = keepObservation(connection, { run, seen, observation, finding });
    if (known === undefined) continue;
    if (first < known.first_seen) connection.run('UPDATE findings SET first_seen = ? WHERE num = ?', first, known.num);
    const isLatest = first > known.last_seen || (first === known.last_seen && run.num >= known.last_run);
    if (isLatest)
      showLast(connection, finding, { run: run.num, tool: run.tool, seen: first, draft: observation.draft });
  }
}

interface OneSighting {
  readonly run: Sighting['run'];
  readonly seen: number;
  readonly observation: Observation;
}

function addFinding(connection: Connection, { run, seen, observation }: OneSighting): number {
  const { kind, severity, target, address, port } = observation.draft;
  const sql = `INSERT INTO findings
    (owner, fingerprint, first_seen, last_seen, last_run, tool, kind, severity, target, address, port)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
  const about = [KIND[kind], SEVERITY[severity], target, address ?? null, port ?? null] as const;
  return connection.run(sql, run.owner, bytesOf(observation.fingerprint), seen, seen, run.num, run.tool, ...about).num;
}

/** The last statement of one run wins; the time at which the run saw it first stays. Returns that time. */
function keepObservation(
  connection: Connection,
  { run, seen, observation, finding }: OneSighting & { finding: number },
): number {
  const { draft, fingerprint, digest } = observation;
  const sql = `INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    rank = excluded.rank, place = excluded.place, digest = excluded.digest, draft = excluded.draft RETURNING seen`;
  const order = [-SEVERITY[draft.severity], placeOf(draft.target)] as const;
  const values = [
    run.num,
    bytesOf(fingerprint),
    finding,
    seen,
    ...order,
    bytesOf(digest),
    JSON.stringify(draft),
  ] as const;
  return connection.get<{ seen: number }>(sql, ...values)?.seen ?? seen;
}

interface LastSighting {
  readonly run: number;
  readonly tool: number;
  readonly seen: number;
  readonly draft: Observation['draft'];
}

function showLast(connection: Connection, finding: number, { run, tool, seen, draft }: LastSighting): void {
  const { kind, severity, target, address, port } = draft;
  const sql = `UPDATE findings SET last_seen = ?, last_run = ?, tool = ?, kind = ?, severity = ?, target = ?, address = ?,
    port = ? WHERE num = ?`;
  const about = [KIND[kind], SEVERITY[severity], target, address ?? null, port ?? null] as const;
  connection.run(sql, seen, run, tool, ...about, finding);
}

/** Takes back single statements of a run. What no other run saw goes; what was never stated is no fault. */
export function withdraw(connection: Connection, run: number, fingerprints: readonly string[]): void {
  const sql = 'DELETE FROM observations WHERE run = ? AND fingerprint = ? RETURNING finding';
  for (const fingerprint of fingerprints) {
    const gone = connection.get<{ finding: number }>(sql, run, bytesOf(fingerprint));
    if (gone !== undefined) correct(connection, gone.finding);
  }
}

/**
 * Takes away some of what a run saw, at most `limit`; true when nothing is left. Findings that no other run saw go; the
 * others show what the remaining runs saw.
 */
export function forgetObservations(connection: Connection, run: number, limit: number): boolean {
  const some = 'SELECT fingerprint FROM observations WHERE run = ? LIMIT ?';
  const findings = connection.all<{ finding: number }>(
    `DELETE FROM observations WHERE run = ? AND fingerprint IN (${some}) RETURNING finding`,
    run,
    run,
    limit,
  );
  for (const { finding } of findings) correct(connection, finding);
  return findings.length < limit;
}

function correct(connection: Connection, finding: number): void {
  const sql = `SELECT run, seen, draft, runs.tool FROM observations JOIN runs ON runs.num = observations.run
    WHERE finding = ? ORDER BY seen DESC, run DESC LIMIT 1`;
  const last = connection.get<{ run: number; seen: number; draft: string; tool: number }>(sql, finding);
  if (last === undefined) {
    connection.run('DELETE FROM findings WHERE num = ?', finding);
    return;
  }
  showLast(connection, finding, { ...last, draft: JSON.parse(last.draft) as Observation['draft'] });
  const first = connection.get<{ seen: number }>(
    'SELECT min(seen) AS seen FROM observations WHERE finding = ?',
    finding,
  );
  connection.run('UPDATE findings SET first_seen = ? WHERE num = ?', first?.seen ?? last.seen, finding);
}

/** 16 bytes of 32 hexadecimal digits. Throws ERR_INTERNAL for anything else. */
function bytesOf(hex: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/.test(hex)) throw new SallyportError('ERR_INTERNAL', 'A fingerprint or digest is none.');
  return Buffer.from(hex, 'hex');
}

/** Half of a character at the cut would not come back from the file as it went in. */
function placeOf(target: string): string {
  return target.slice(0, PLACE_LENGTH).toWellFormed();
}
