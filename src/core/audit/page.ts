import type { AuditPage, AuditRecord } from '../../../schemas/audit.ts';
import { SallyportError } from '../errors.ts';
import type { AuditQuery, AuditStore } from './types.ts';

const DEFAULT_LIMIT = 100;
/** Records of one page at most. */
export const MAX_PAGE = 1000;
/** Records that one question to the store looks at when no index helps, and such questions of one page. */
const WINDOW = 20_000;
const MAX_WINDOWS = 5;

/**
 * One page of the records up to `lastSeq`. It may hold fewer than asked for, or none, and still have a `nextAfter`: a rare
 * principal among millions of records must not keep the store from everybody else. Throws ERR_INPUT_INVALID.
 */
export async function readPage(store: AuditStore, query: AuditQuery, lastSeq: number): Promise<AuditPage> {
  const { after = 0, limit = DEFAULT_LIMIT } = query;
  requireRange('after', after, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
  requireRange('limit', limit, { minimum: 1, maximum: MAX_PAGE });
  const isIndexed = query.runId !== undefined || (query.engagement === undefined && query.principal === undefined);
  const windows = isIndexed ? 1 : MAX_WINDOWS;
  const records: AuditRecord[] = [];
  let seen = after;
  for (let window = 0; window < windows && seen < lastSeq && records.length < limit; window += 1) {
    const until = isIndexed ? lastSeq : Math.min(lastSeq, seen + WINDOW);
    const wanted = limit - records.length;
    const found = await store.page({ ...query, after: seen, limit: wanted, until });
    records.push(...found);
    seen = found.length < wanted ? until : (found.at(-1)?.seq ?? until);
  }
  return { records, ...(seen < lastSeq && { nextAfter: seen }) };
}

function requireRange(name: string, value: number, { minimum, maximum }: { minimum: number; maximum: number }): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw new SallyportError('ERR_INPUT_INVALID', `${name} must be a whole number from ${minimum} to ${maximum}.`, {
    details: { faults: [{ path: `/${name}`, message: `must be a whole number from ${minimum} to ${maximum}` }] },
  });
}
