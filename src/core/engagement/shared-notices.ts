import type { EngagementDocument } from '../../../schemas/engagement.ts';
import { amongOthersNotices } from './notices.ts';
import { overlapNotices } from './scope-notices.ts';

/** By id: what is to be told of engagements because there are others. */
export function sharedNotices(documents: readonly EngagementDocument[]): ReadonlyMap<string, readonly string[]> {
  if (documents.length < 2) return new Map();
  const overlaps = overlapNotices(documents);
  return new Map(
    documents.map((document) => [document.id, [...amongOthersNotices(document), ...(overlaps.get(document.id) ?? [])]]),
  );
}
