import type { StoredKill } from '../core/kill/types.ts';
import type { Connection } from './connection.ts';
import { EVERYTHING } from './kill-writes.ts';

function listKills(connection: Connection): readonly StoredKill[] {
  const sql = 'SELECT engagement, since, by, reason FROM kills ORDER BY engagement';
  return connection
    .all<StoredKill & { engagement: string }>(sql)
    .map((row) => ({ ...row, engagement: row.engagement === EVERYTHING ? null : row.engagement }));
}

/** Questions about kill switches. */
export const KILL_READS = { listKills };
