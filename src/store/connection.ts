import { pathToFileURL } from 'node:url';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/** One row as SQLite gives it. */
export type Row = Record<string, unknown>;

/** How a connection may use the file; `readOnly` also on a file system that cannot be written, `create` on an empty file. */
export interface ConnectionOptions {
  readonly mode: 'create' | 'write' | 'read' | 'readOnly';
  /** Milliseconds to wait for another process that writes. */
  readonly busyMs?: number;
}

/* oxlint-disable typescript/no-unnecessary-type-parameters -- the caller, who writes the SQL, names the row's shape */
/** One open file with its prepared statements. Each method throws SQLite's error. */
export interface Connection {
  get<T = Row>(sql: string, ...values: SQLInputValue[]): T | undefined;
  all<T = Row>(sql: string, ...values: SQLInputValue[]): T[];
  /** Returns how many rows changed, and the number of the last one added. */
  run(sql: string, ...values: SQLInputValue[]): { readonly changes: number; readonly num: number };
  exec(sql: string): void;
  readonly isTransaction: boolean;
  close(): void;
}

const BUSY_MS = 5000;

/**
 * Opens an existing file; never makes one. Within one process nobody else may open and close it by other means: POSIX
 * drops all locks of a process with the first descriptor of the file that it closes (fcntl(2)).
 */
export function openConnection(path: string, { mode, busyMs = BUSY_MS }: ConnectionOptions): Connection {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', mode === 'readOnly' ? 'ro' : 'rw');
  const database = new DatabaseSync(url, { readOnly: mode === 'readOnly', timeout: busyMs });
  try {
    // A damaged schema must not call functions, and a damaged page is told, not followed.
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    if (mode === 'read') database.exec('PRAGMA query_only = ON');
    // Before anything is in the file: later it would take a rewrite of all of it.
    if (mode === 'create') database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    if (mode === 'create' || mode === 'write') prepareWriting(database);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  return connectionOf(database);
}

/** FULL: each commit is synced, so that an acknowledged write survives the loss of power. */
function prepareWriting(database: DatabaseSync): void {
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -16384`);
}

function connectionOf(database: DatabaseSync): Connection {
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  return {
    get: <T>(sql: string, ...values: SQLInputValue[]) => prepared(sql).get(...values) as T | undefined,
    all: <T>(sql: string, ...values: SQLInputValue[]) => prepared(sql).all(...values) as T[],
    run: (sql, ...values) => {
      const { changes, lastInsertRowid } = prepared(sql).run(...values);
      return { changes: Number(changes), num: Number(lastInsertRowid) };
    },
    exec: (sql) => database.exec(sql),
    get isTransaction() {
      return database.isTransaction;
    },
    close: () => {
      statements.clear();
      database.close();
    },
  };
}
