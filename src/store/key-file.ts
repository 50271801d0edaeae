import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { type KeyFile, KeyFileSchema } from '../../schemas/stored.ts';
import { type KeyRecord, type KeyStore, SCOPES } from '../core/auth/types.ts';
import { SallyportError } from '../core/errors.ts';
import { writeAtomic } from './atomic-file.ts';
import { acquireLock } from './lock-file.ts';

/** Milliseconds that a write waits for another process that writes keys. */
const LOCK_WAIT_MS = 5000;

/**
 * Keys in `<dataDir>/keys.json`. Several processes may use it at once: writes are locked, and a reader sees a change of
 * another process (a revocation by the command line) at its next call. Every method throws ERR_STORE_UNAVAILABLE, which
 * names the file, when the file cannot be read or written; a damaged file is never taken for an empty one.
 */
export function createKeyFile(dataDir: string): KeyStore {
  const path = join(dataDir, 'keys.json');
  let cache: { readonly sign: string; readonly records: readonly KeyRecord[] } = { sign: 'none', records: [] };

  const list = (): readonly KeyRecord[] => {
    const sign = signOf(path);
    if (sign !== cache.sign) cache = { sign, records: sign === '' ? [] : read(path) };
    return cache.records;
  };
  const change = async <T>(edit: (records: readonly KeyRecord[]) => { records?: readonly KeyRecord[]; answer: T }) => {
    const lock = await acquireLock(`${path}.lock`, { waitMs: LOCK_WAIT_MS });
    try {
      const { records, answer } = edit(list());
      if (records !== undefined) writeAtomic(path, `${JSON.stringify({ version: 1, keys: records }, null, 2)}\n`);
      return answer;
    } finally {
      lock.release();
    }
  };

  return {
    list: async () => list(),
    add: (record) =>
      change((records) => {
        if (records.some(({ id, hash }) => id === record.id || hash === record.hash)) {
          throw new SallyportError('ERR_INPUT_INVALID', 'This key is registered already.');
        }
        return { records: [...records, record], answer: undefined };
      }),
    revoke: (id, at) =>
      change((records) => {
        const isThere = records.some((record) => record.id === id && record.revokedAt === undefined);
        if (!isThere) return { answer: false };
        return { records: records.map((each) => (each.id === id ? { ...each, revokedAt: at } : each)), answer: true };
      }),
  };
}

/** Changes with every replacement of the file; empty when there is none. */
function signOf(path: string): string {
  try {
    const { mtimeNs, ctimeNs, ino, size } = statSync(path, { bigint: true });
    return `${mtimeNs} ${ctimeNs} ${ino} ${size}`;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unreadable(path, cause);
  }
}

function read(path: string): readonly KeyRecord[] {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (!Value.Check(KeyFileSchema, found)) throw unreadable(path, new Error('not of the key file’s shape'));
  return found.keys.map(toRecord);
}

/** A scope that this version does not know (a key of a newer one) is not granted. */
function toRecord(stored: KeyFile['keys'][number]): KeyRecord {
  const { expiresAt, revokedAt, ...rest } = stored;
  return {
    ...rest,
    scopes: SCOPES.filter((scope) => stored.scopes.includes(scope)),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(revokedAt === undefined ? {} : { revokedAt }),
  };
}

function unreadable(path: string, cause: unknown): SallyportError {
  return new SallyportError('ERR_STORE_UNAVAILABLE', `The key file ${path} cannot be read or is damaged.`, { cause });
}
