import type { EngagementVersion } from '../../schemas/engagement.ts';
import type { Revocation } from '../core/engagement/types.ts';
import type { Connection } from './connection.ts';

function putEngagement(connection: Connection, version: EngagementVersion): void {
  const { id, source, since, by, document } = version;
  const { num } = connection.run(
    'INSERT INTO engagement_versions (id, version, source, since, by, document) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    version.version,
    source,
    Date.parse(since),
    by,
    JSON.stringify(document),
  );
  if (source !== 'rest') return;
  connection.run(
    'INSERT INTO rest_engagements (id, num) VALUES (?, ?) ON CONFLICT DO UPDATE SET num = excluded.num',
    id,
    num,
  );
}

function removeEngagement(connection: Connection, { id }: { id: string }): boolean {
  return connection.run('DELETE FROM rest_engagements WHERE id = ?', id).changes > 0;
}

function setRevocation(connection: Connection, given: { id: string; revocation: Revocation | null }): void {
  const { id, revocation } = given;
  if (revocation === null) {
    connection.run('DELETE FROM revocations WHERE id = ?', id);
    return;
  }
  const { at, by, reason } = revocation;
  connection.run(
    `INSERT INTO revocations (id, at, by, reason) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET at = excluded.at, by = excluded.by, reason = excluded.reason`,
    id,
    at,
    by,
    reason,
  );
}

/** Changes of engagements and revocations. */
export const ENGAGEMENT_WRITES = { putEngagement, removeEngagement, setRevocation };
