import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory, writeNew } from './atomic-file.ts';
import type { Connection } from './connection.ts';

/** Faults told by one check at most. */
const MAX_FAULTS = 20;

/** Writes a consistent copy, mode 0600, to a path where nothing is. A reader's work: writes go on meanwhile. */
function backup(connection: Connection, { to }: { to: string }): void {
  // Taken with O_EXCL: nothing that is there is overwritten, and a link is not followed.
  reserve(to);
  // A name that nobody else has: what fails is removed again, and that must be ours.
  const temporary = `${to}.${randomBytes(6).toString('hex')}.part`;
  try {
    writeNew(temporary, '');
    // The thread is for this alone, and nothing but the copy is written.
    connection.exec('PRAGMA query_only = OFF');
    connection.run('VACUUM INTO ?', temporary);
    sync(temporary);
    renameSync(temporary, to);
    syncDirectory(dirname(to));
  } catch (thrown) {
    rmSync(temporary, { force: true });
    rmSync(to, { force: true });
    throw thrown;
  }
}

function reserve(path: string): void {
  try {
    writeNew(path, '');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'there is something already' : `it cannot be made (${code})`;
    throw new SallyportError('ERR_INPUT_INVALID', `The backup was not written to ${path}: ${why}.`, { cause });
  }
}

/** VACUUM INTO does not sync its copy. */
function sync(path: string): void {
  const descriptor = openSync(path, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function check(connection: Connection): readonly string[] {
  try {
    const pages = connection
      .all<{ integrity_check: string }>(`PRAGMA integrity_check(${MAX_FAULTS})`)
      .map((row) => row.integrity_check)
      .filter((text) => text !== 'ok');
    const keys = connection
      .all<{ table: string; rowid: number | null; parent: string }>('PRAGMA foreign_key_check')
      .slice(0, MAX_FAULTS)
      .map(({ table, parent }) => `a row of ${table} belongs to a row of ${parent} that is not there`);
    return [...pages.flatMap((text) => text.split('\n')), ...keys].slice(0, MAX_FAULTS);
  } catch (thrown) {
    return [thrown instanceof Error ? thrown.message : String(thrown)];
  }
}

/** What takes long: it runs in a thread of its own. */
export const UPKEEP = { backup, check };
