import type { TargetPolicy } from '../targets/types.ts';
import type { Held } from './book.ts';
import { compileFiles, type EngagementFiles } from './file-set.ts';
import { noticesOf } from './notices.ts';
import { sharedNotices } from './shared-notices.ts';

/** What is wrong with a directory, and what in it overlaps or contradicts. */
export interface Inspection {
  readonly faults: readonly string[];
  readonly notices: readonly string[];
}

/** Checks a directory as it was read, without making it count. */
export function inspectEngagementFiles(files: EngagementFiles, tools: readonly string[]): Inspection {
  const read = compileFiles(files, { makePolicy: () => NOBODY, isTaken: () => false });
  if ('faults' in read) return { faults: read.faults, notices: [] };
  const shared = sharedNotices(read.held.map(({ engagement }) => engagement.document));
  const own = read.held.flatMap(({ engagement: { id, document }, by }: Held) =>
    [...noticesOf(document, { tools, mayBeEndless: false }), ...(shared.get(id) ?? [])].map(
      (notice) => `${by}: ${notice}`,
    ),
  );
  return { faults: [], notices: [...('notices' in files ? files.notices : []), ...own] };
}

/** Nothing is pinned while files are only looked at. */
const NOBODY: TargetPolicy = {
  pin: () => Promise.reject(new Error('files that are only inspected pin nothing')),
};
