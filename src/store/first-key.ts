import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, hashKey, unusable } from '../core/auth/keys.ts';
import { type KeyRecord, type KeyStore, SCOPES } from '../core/auth/types.ts';
import type { Clock } from '../core/clock.ts';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory, writeNew } from './atomic-file.ts';

/** What `ensureFirstKey` needs. */
export interface FirstKeyInput {
  readonly store: KeyStore;
  readonly dataDir: string;
  /** Path of a file with a key that the operator chose; empty: none. */
  readonly bootstrapKeyFile: string;
  /** Whether the gateway listens on loopback only. */
  readonly loopback: boolean;
  readonly clock: Clock;
}

/** What was done: `made` wrote a key to `path`; `registered` took the operator's; `present` had nothing to do. */
export type FirstKey =
  | { readonly kind: 'made'; readonly id: string; readonly path: string }
  | { readonly kind: 'registered'; readonly id: string }
  | { readonly kind: 'present' };

/**
 * Sees to it that there is a key before anything listens. Throws ERR_CONFIG_INVALID when there is none and none may be
 * made, or when the bootstrap file is not fit.
 */
export async function ensureFirstKey(input: FirstKeyInput): Promise<FirstKey> {
  const { store, bootstrapKeyFile, loopback, clock } = input;
  if (bootstrapKeyFile !== '') return registerBootstrap(input);
  const records = await store.list();
  if (records.some((record) => unusable(record, clock) === undefined)) return { kind: 'present' };
  if (!loopback) {
    throw invalid(
      'no API key, and the address is not loopback',
      'a key by bootstrapKeyFile or by `sallyport keys create`',
    );
  }
  // All keys revoked is a decision of the operator: a restart must not undo it.
  if (records.length > 0) return { kind: 'present' };
  return make(input);
}

async function make({ store, dataDir, clock }: FirstKeyInput): Promise<FirstKey> {
  const { key, record } = createKey({ name: 'first', scopes: SCOPES, clock });
  const path = join(dataDir, 'first-key');
  // The file comes first: a crash in between leaves a file of no use, not a key that nobody knows. Such a file goes.
  rmSync(path, { force: true });
  try {
    writeNew(path, `${key}\n`);
    syncDirectory(dataDir);
  } catch (cause) {
    throw new SallyportError('ERR_STORE_UNAVAILABLE', `The first key cannot be written to ${path}.`, { cause });
  }
  await store.add(record);
  return { kind: 'made', id: record.id, path };
}

/** The file holds the one bootstrap key: a key of an earlier content is revoked, since it was replaced for a reason. */
async function registerBootstrap({ store, bootstrapKeyFile, clock }: FirstKeyInput): Promise<FirstKey> {
  const hash = hashKey(readBootstrap(bootstrapKeyFile));
  const records = await store.list();
  for (const { id, hash: other, revokedAt } of records) {
    if (id.startsWith('bootstrap_') && other !== hash && revokedAt === undefined) await store.revoke(id, clock.now());
  }
  const known = records.find((record) => record.hash === hash);
  if (known !== undefined) {
    const reason = unusable(known, clock);
    if (reason !== undefined) throw invalid(`its key is ${reason}`, 'a new key');
    return { kind: 'present' };
  }
  const id = `bootstrap_${hash.slice(0, 16)}`;
  const record: KeyRecord = {
    id,
    name: 'bootstrap',
    prefix: 'bootstrap',
    hash,
    scopes: SCOPES,
    createdAt: clock.now(),
  };
  await store.add(record);
  return { kind: 'registered', id };
}

function readBootstrap(path: string): string {
  let text: string;
  let mode: number;
  try {
    const descriptor = openSync(path, 'r');
    try {
      // The open file is judged, not its name: it cannot be exchanged between the look and the reading.
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw new Error('not a regular file');
      mode = stats.mode;
      const buffer = Buffer.alloc(1024);
      text = buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, 0)).toString('utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch {
    throw invalid('the file cannot be read', 'a readable, regular file');
  }
  if ((mode & 0o007) !== 0) throw invalid('others may read or change the file', 'mode 0600 or 0640');
  const key = text.replace(/\r?\n$/, '');
  // 32 characters and 12 different ones: `aaaa…` and `changeme…` are not keys.
  if (!/^[\w.~+/=-]{32,512}$/.test(key) || new Set(key).size < 12) {
    throw invalid('not a key', 'one line of 32 to 512 random characters A-Z a-z 0-9 . _ ~ + / = -');
  }
  return key;
}

/** The same shape of fault that the configuration loader tells. */
function invalid(wrong: string, right: string): SallyportError {
  return new SallyportError('ERR_CONFIG_INVALID', `bootstrapKeyFile: ${wrong}; expected ${right}.`, {
    details: { faults: [{ key: 'bootstrapKeyFile', from: 'start', wrong, right }] },
  });
}
