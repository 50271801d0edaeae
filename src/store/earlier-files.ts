import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { KeyFileSchema, StoredSecretSchema } from '../../schemas/stored.ts';
import { type KeyRecord, type Scope, SCOPES, type SecretRecord } from '../core/auth/types.ts';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory } from './atomic-file.ts';
import type { Connection } from './connection.ts';
import { insertKey, insertSecret } from './key-writes.ts';

/** What version 0.1 kept in files of their own. */
export interface EarlierFiles {
  readonly keys: readonly KeyRecord[];
  readonly secrets: readonly SecretRecord[];
  /** In the order in which they are removed. */
  readonly paths: readonly string[];
}

/** Every scope that there was then. */
const EARLIER_SCOPES: readonly Scope[] = [
  'tools:read',
  'runs:execute',
  'secrets:read',
  'admin:tools',
  'admin:config',
  'health:read',
  'metrics:read',
];

/** Whether a data directory holds files that are to be imported. */
export function hasEarlierFiles(dataDir: string): boolean {
  return existsSync(join(dataDir, 'keys.json')) || existsSync(join(dataDir, 'secrets'));
}

/** Reads all of them. Throws ERR_STORE_UNAVAILABLE, which names the file, when one is damaged; no text of a secret is in it. */
export function readEarlierFiles(dataDir: string): EarlierFiles {
  const keyFile = join(dataDir, 'keys.json');
  const directory = join(dataDir, 'secrets');
  const secretFiles = existsSync(directory)
    ? readdirSync(directory).flatMap((name) => (name.endsWith('.json') ? [join(directory, name)] : []))
    : [];
  return {
    keys: existsSync(keyFile) ? readKeys(keyFile) : [],
    secrets: secretFiles.map(readSecret).sort((a, b) => a.createdAt - b.createdAt),
    paths: [...secretFiles, keyFile],
  };
}

/** Takes them over: part of the transaction that the caller has begun. What is there already stays as it is. */
export function importEarlierFiles(connection: Connection, { keys, secrets }: EarlierFiles): void {
  for (const key of keys) insertKey(connection, key);
  for (const secret of secrets) insertSecret(connection, secret);
}

/** Removes them once they are durable in the store. */
export function removeEarlierFiles(dataDir: string, { paths }: EarlierFiles): void {
  for (const path of paths) rmSync(path, { force: true });
  const directory = join(dataDir, 'secrets');
  // Only when empty: a file that is none of ours stays with its directory.
  if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
  syncDirectory(dataDir);
}

function readKeys(path: string): readonly KeyRecord[] {
  const found = parse(path);
  if (!Value.Check(KeyFileSchema, found)) throw damaged(path);
  return found.keys.map(({ scopes, expiresAt, revokedAt, ...rest }) => ({
    ...rest,
    scopes: widened(scopes),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(revokedAt !== undefined && { revokedAt }),
  }));
}

/** Who could start runs saw their results; who could do everything still can. An unknown scope is not granted. */
function widened(earlier: readonly string[]): readonly Scope[] {
  if (EARLIER_SCOPES.every((scope) => earlier.includes(scope))) return SCOPES;
  const isRunner = earlier.includes('runs:execute');
  const added: readonly Scope[] = isRunner ? ['runs:read', 'runs:cancel', 'findings:read'] : [];
  return SCOPES.filter((scope) => earlier.includes(scope) || added.includes(scope));
}

function readSecret(path: string): SecretRecord {
  const found = parse(path);
  if (!Value.Check(StoredSecretSchema, found)) throw damaged(path);
  return found;
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Without the parser's message: it repeats the text, which may be a secret.
    throw damaged(path);
  }
}

function damaged(path: string): SallyportError {
  return new SallyportError(
    'ERR_STORE_UNAVAILABLE',
    `${path} cannot be read or is damaged, so nothing was imported; mend it or move it away.`,
  );
}
