import type { KeyRecord } from '../core/auth/types.ts';
import type { Connection } from './connection.ts';
import { listKeys } from './key-reads.ts';

/**
 * The keys, read again only when the file says that they changed: asking that costs microseconds and no thread, so that
 * a caller is authenticated without waiting for the disk or for another's long list. A revocation by another process
 * counts from its commit on.
 */
export function createKeyCache(connection: Connection): () => readonly KeyRecord[] {
  let records: readonly KeyRecord[] = [];
  let seen = { data: -1, keys: -1 };
  return () => {
    const data = connection.get<{ data_version: number }>('PRAGMA data_version')?.data_version ?? 0;
    if (data === seen.data) return records;
    const keys = connection.get<{ value: number }>("SELECT value FROM meta WHERE name = 'keysChanged'")?.value ?? 0;
    // Read before it is remembered: when reading fails, the next call reads again instead of trusting an old list.
    if (keys !== seen.keys) records = listKeys(connection);
    seen = { data, keys };
    return records;
  };
}
