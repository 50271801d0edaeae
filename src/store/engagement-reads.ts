import type { EngagementSource, Revocation } from '../core/engagement/types.ts';
import type { Connection } from './connection.ts';

/** One version with its document as text. */
export interface VersionRow {
  readonly id: string;
  readonly version: string;
  readonly source: EngagementSource;
  readonly since: number;
  readonly by: string;
  readonly document: string;
}

/** Most versions that are shown of one engagement. */
const MAX_VERSIONS = 1000;

function currentEngagements(connection: Connection): readonly VersionRow[] {
  return connection.all<VersionRow>(
    `SELECT v.id, version, source, since, by, document FROM rest_engagements AS r
     JOIN engagement_versions AS v USING (num) ORDER BY v.id`,
  );
}

function engagementVersions(connection: Connection, { id }: { id: string }): readonly VersionRow[] {
  return connection.all<VersionRow>(
    `SELECT id, version, source, since, by, document FROM engagement_versions
     WHERE id = ? ORDER BY num DESC LIMIT ${MAX_VERSIONS}`,
    id,
  );
}

function revocations(connection: Connection): ReadonlyMap<string, Revocation> {
  const rows = connection.all<Revocation & { id: string }>('SELECT id, at, by, reason FROM revocations');
  return new Map(rows.map(({ id, at, by, reason }) => [id, { at, by, reason }]));
}

/** Questions about engagements and revocations. */
export const ENGAGEMENT_READS = { currentEngagements, engagementVersions, revocations };
