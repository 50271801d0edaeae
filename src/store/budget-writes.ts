import { createHash } from 'node:crypto';
import { foldLoads } from '../core/budget/loads.ts';
import type { StoredReservation } from '../core/budget/types.ts';
import type { Connection } from './connection.ts';

function putReservation(connection: Connection, reservation: StoredReservation): void {
  const { id, engagement, at, settledAt = null, probes, runMs, targets, accounts } = reservation;
  connection.run(
    'INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    engagement,
    at,
    settledAt,
    probes,
    runMs,
    targets,
    // JSON has no infinity: it is written as null.
    JSON.stringify(accounts.map(({ account, guesses }) => [account, guesses])),
  );
}

function dropReservation(connection: Connection, { id }: { id: string }): void {
  connection.run('DELETE FROM reservations WHERE run_id = ?', id);
}

interface Folding {
  readonly run_id: string;
  readonly engagement: string;
  readonly run_ms: number;
  readonly targets: string;
}

/** A folded row has the time -1: the index by time passes over it. */
function foldReservations(connection: Connection, { before, limit }: { before: number; limit: number }): number {
  const rows = connection.all<Folding>(
    `SELECT run_id, engagement, run_ms, targets FROM reservations
      WHERE at >= 0 AND at < ? AND settled < ? LIMIT ?`,
    before,
    before,
    limit,
  );
  for (const row of rows) {
    if (row.run_ms > 0) addRunTime(connection, row);
    dropReservation(connection, { id: row.run_id });
  }
  return rows.length;
}

function addRunTime(connection: Connection, { engagement, run_ms: runMs, targets }: Folding): void {
  const folded = foldLoads(targets);
  const id = `folded.${createHash('sha256')
    .update(JSON.stringify([engagement, folded]))
    .digest('hex')}`;
  connection.run(
    `INSERT INTO reservations VALUES (?, ?, -1, 0, 0, ?, ?, '[]')
      ON CONFLICT DO UPDATE SET run_ms = run_ms + excluded.run_ms`,
    id,
    engagement,
    runMs,
    folded,
  );
}

/** Changes of reservations. */
export const BUDGET_WRITES = { putReservation, dropReservation, foldReservations };
