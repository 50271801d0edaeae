import { existsSync, lstatSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory, writeNew } from './atomic-file.ts';
import { type Connection, openConnection } from './connection.ts';
import {
  type EarlierFiles,
  hasEarlierFiles,
  importEarlierFiles,
  readEarlierFiles,
  removeEarlierFiles,
} from './earlier-files.ts';
import { fromWireError, toWireError } from './fault.ts';
import { requireVersion, versionOf } from './file-version.ts';
import { listKeys } from './key-reads.ts';
import { acquireLock } from './lock-file.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION } from './schema.ts';

/** Milliseconds that an opening waits for another process that makes or migrates the file. */
const LOCK_WAIT_MS = 5000;

/** The file, open for reading. */
export interface OpenedFile {
  readonly connection: Connection;
  /** 32 random bytes that were made with the file. */
  readonly cursorKey: Buffer;
}

/** The file of the store in a data directory. */
export function storePath(dataDir: string): string {
  return join(dataDir, 'sallyport.db');
}

/**
 * Sees to it that the file is there, of this version and readable, and opens it for reading. Makes it, brings it up to
 * date and imports the files of version 0.1, unless `isReadOnly`. Throws ERR_STORE_UNAVAILABLE, which names the file;
 * a damaged or missing one that has been in use is never replaced by an empty one.
 */
export async function openStoreFile(dataDir: string, isReadOnly: boolean): Promise<OpenedFile> {
  const path = storePath(dataDir);
  try {
    if (!isReadOnly && (!existsSync(path) || hasEarlierFiles(dataDir))) await work(dataDir, path);
    requirePrivate(path);
    const opened = openVerified(path, isReadOnly);
    if (opened !== undefined) return opened;
    await work(dataDir, path);
    return openVerified(path, isReadOnly) ?? fail('is still of an earlier version');
  } catch (thrown) {
    throw named(thrown, path);
  }
}

/** One process at a time: two that start together must not both make the file. */
async function work(dataDir: string, path: string): Promise<void> {
  const lock = await acquireLock(`${path}.lock`, { waitMs: LOCK_WAIT_MS, what: `The store ${path}` });
  try {
    const earlier = hasEarlierFiles(dataDir) ? readEarlierFiles(dataDir) : undefined;
    if (existsSync(path)) bringUpToDate(path, earlier);
    else make(path, earlier);
    if (earlier !== undefined) removeEarlierFiles(dataDir, earlier);
  } finally {
    lock.release();
  }
}

/** Made under another name and moved when it is whole: a kill at any moment leaves no half file under the real one. */
function make(path: string, earlier: EarlierFiles | undefined): void {
  // With the log of another file SQLite would fill the new one with pages of the old: that file was lost, not absent.
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new SallyportError(
      'ERR_STORE_UNAVAILABLE',
      'The file is missing while its log (-wal) is there; restore a backup.',
    );
  }
  const temporary = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${temporary}${suffix}`, { force: true });
  writeNew(temporary, '');
  const connection = openConnection(temporary, { mode: 'create' });
  try {
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(connection, earlier);
  } finally {
    connection.close();
  }
  renameSync(temporary, path);
  syncDirectory(join(path, '..'));
}

function bringUpToDate(path: string, earlier: EarlierFiles | undefined): void {
  requirePrivate(path);
  const connection = openConnection(path, { mode: 'write' });
  try {
    versionOf(connection);
    migrate(connection, earlier);
  } finally {
    connection.close();
  }
}

/** All or nothing: the steps, the version that they lead to, and what is imported. */
function migrate(connection: Connection, earlier: EarlierFiles | undefined): void {
  connection.exec('BEGIN IMMEDIATE');
  try {
    const version = connection.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
    for (const step of MIGRATIONS.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    if (earlier !== undefined) importEarlierFiles(connection, earlier);
    connection.exec('COMMIT');
  } catch (thrown) {
    if (connection.isTransaction) connection.exec('ROLLBACK');
    throw thrown;
  }
}

/** Secrets and the hashes of keys are in it: nobody else may read it, and nobody may have put it there. */
function requirePrivate(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw refusal('is not there');
  if (!stats.isFile()) throw refusal('is no regular file');
  if (stats.uid !== process.geteuid?.()) throw refusal('belongs to another user');
  if ((stats.mode & 0o077) !== 0) throw refusal('can be read or written by others; chmod 600 it');
}

function fail(why: string): never {
  throw refusal(why);
}

function refusal(why: string): SallyportError {
  return new SallyportError('ERR_STORE_UNAVAILABLE', `The file ${why}.`);
}

/** Undefined when it is of an earlier version and may be brought up to date. */
function openVerified(path: string, isReadOnly: boolean): OpenedFile | undefined {
  // It answers on the main thread: rather an error than a gateway that stands still for seconds.
  const connection = openConnection(path, { mode: isReadOnly ? 'readOnly' : 'read', busyMs: 1000 });
  try {
    if (!isReadOnly && versionOf(connection) < SCHEMA_VERSION) {
      connection.close();
      return undefined;
    }
    requireVersion(connection);
    // What nobody could be authenticated without is read now, while a fault still keeps the gateway from starting.
    listKeys(connection);
    return { connection, cursorKey: readCursorKey(connection) };
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
}

function readCursorKey(connection: Connection): Buffer {
  const row = connection.get<{ value: unknown }>("SELECT value FROM meta WHERE name = 'cursorKey'");
  if (row?.value instanceof Uint8Array && row.value.length === 32) return Buffer.from(row.value);
  throw refusal('is damaged: it has no key for its cursors');
}

function named(thrown: unknown, path: string): SallyportError {
  const error = fromWireError(toWireError(thrown, path));
  const isFile = error.code === 'ERR_STORE_UNAVAILABLE' && !error.message.includes(path);
  return new SallyportError('ERR_STORE_UNAVAILABLE', isFile ? `${path}: ${error.message}` : error.message, {
    cause: error.cause,
  });
}
