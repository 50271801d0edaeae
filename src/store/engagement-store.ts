import type { EngagementDocument, EngagementVersion } from '../../schemas/engagement.ts';
import type { EngagementStore } from '../core/store/types.ts';
import type { VersionRow } from './engagement-reads.ts';
import type { StoreParts } from './store-parts.ts';

/** Engagements of REST, the history of all, and what is revoked. At most the newest 1000 versions of one are answered. */
export function createEngagementStore({ writer, reader }: StoreParts): EngagementStore {
  return {
    current: async () => (await reader.call('currentEngagements', undefined)).map(versionOf),
    put: (version) => writer.call('putEngagement', version),
    remove: (id) => writer.call('removeEngagement', { id }),
    versions: async (id) => (await reader.call('engagementVersions', { id })).map(versionOf),
    revocations: () => reader.call('revocations', undefined),
    setRevocation: (id, revocation) => writer.call('setRevocation', { id, revocation }),
  };
}

/** The document is what was written: whoever uses it checks it as one that came from outside. */
function versionOf({ id, version, source, since, by, document }: VersionRow): EngagementVersion {
  const at = new Date(since).toISOString();
  return { id, version, source, since: at, by, document: JSON.parse(document) as EngagementDocument };
}
