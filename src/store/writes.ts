import type { Connection } from './connection.ts';
import { KEY_WRITES } from './key-writes.ts';
import { OUTPUT_WRITES } from './output-writes.ts';
import { RUN_WRITES } from './run-writes.ts';

function probe(connection: Connection): void {
  connection.run("UPDATE meta SET value = value + 1 WHERE name = 'probed'");
}

/** Everything that changes the file: each one unit of a transaction, whole or not at all. */
export const WRITES = { ...RUN_WRITES, ...OUTPUT_WRITES, ...KEY_WRITES, probe };
