import type { StoredReservation, StoredRunTime } from '../core/budget/types.ts';
import type { Connection } from './connection.ts';

interface ReservationRow {
  readonly run_id: string;
  readonly engagement: string;
  readonly at: number;
  readonly settled: number | null;
  readonly probes: number;
  readonly run_ms: number;
  readonly targets: string;
  readonly accounts: string;
}

interface Loaded {
  readonly recent: readonly StoredReservation[];
  readonly earlier: readonly StoredRunTime[];
}

interface Asked {
  readonly since: number;
  readonly byTarget: readonly string[];
}

/** The targets of a year of scans are not read where nobody asks for them: they would fill the memory. */
function reservations(connection: Connection, { since, byTarget }: Asked): Loaded {
  return {
    recent: connection
      .all<ReservationRow>('SELECT * FROM reservations WHERE at >= 0 AND (settled IS NULL OR settled >= ?)', since)
      .map(toReservation),
    earlier: connection.all<StoredRunTime>(
      `SELECT engagement,
          CASE WHEN engagement IN (SELECT value FROM json_each(?)) THEN targets ELSE '[]' END AS targets,
          sum(run_ms) AS runMs
        FROM reservations WHERE (at < 0 OR settled < ?) AND run_ms > 0 GROUP BY 1, 2`,
      JSON.stringify(byTarget),
      since,
    ),
  };
}

function toReservation(row: ReservationRow): StoredReservation {
  const accounts = JSON.parse(row.accounts) as readonly (readonly [account: string, guesses: number | null])[];
  return {
    id: row.run_id,
    engagement: row.engagement,
    at: row.at,
    ...(row.settled === null ? {} : { settledAt: row.settled }),
    probes: row.probes,
    runMs: row.run_ms,
    targets: row.targets,
    accounts: accounts.map(([account, guesses]) => ({ account, guesses: guesses ?? Number.POSITIVE_INFINITY })),
  };
}

/** Questions about reservations. */
export const BUDGET_READS = { reservations };
