import { SallyportError } from '../core/errors.ts';
import type { Connection } from './connection.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts';

/** The version of the schema in an open file. Throws ERR_STORE_UNAVAILABLE when it is none of ours or newer than we know. */
export function versionOf(connection: Connection): number {
  const id = connection.get<{ application_id: number }>('PRAGMA application_id')?.application_id;
  const version = connection.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (id !== APPLICATION_ID || version < 1) {
    throw new SallyportError(
      'ERR_STORE_UNAVAILABLE',
      'The file of the store is empty or not one of Sallyport; restore a backup, or move it away.',
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new SallyportError(
      'ERR_STORE_UNAVAILABLE',
      `The store was written by a newer Sallyport (schema ${version}, known here: ${SCHEMA_VERSION}); use that one.`,
    );
  }
  return version;
}

/** Throws ERR_STORE_UNAVAILABLE unless the open file has exactly the schema of this version. */
export function requireVersion(connection: Connection): void {
  const version = versionOf(connection);
  if (version === SCHEMA_VERSION) return;
  throw new SallyportError(
    'ERR_STORE_UNAVAILABLE',
    `The store is of an earlier Sallyport (schema ${version}); start the gateway once to bring it up to date.`,
  );
}
