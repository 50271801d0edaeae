import type { StoredKill } from '../core/kill/types.ts';
import type { Connection } from './connection.ts';

/** How the switch for everything is kept; no engagement has this id. */
export const EVERYTHING = '';

function putKill(connection: Connection, { engagement, since, by, reason }: StoredKill): void {
  const sql = `INSERT INTO kills (engagement, since, by, reason) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET since = excluded.since, by = excluded.by, reason = excluded.reason`;
  connection.run(sql, engagement ?? EVERYTHING, since, by, reason);
}

function removeKill(connection: Connection, { engagement }: Pick<StoredKill, 'engagement'>): void {
  connection.run('DELETE FROM kills WHERE engagement = ?', engagement ?? EVERYTHING);
}

/** Changes of kill switches. */
export const KILL_WRITES = { putKill, removeKill };
