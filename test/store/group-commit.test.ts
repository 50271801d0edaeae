import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection } from '../../src/store/connection.ts';
import { openConnection } from '../../src/store/connection.ts';
import { commitTogether } from '../../src/store/group-commit.ts';
import { openStore } from '../../src/store/store.ts';
import { newDirectory } from './rig.ts';
import { storePath } from '../../src/store/store-file.ts';

async function openTable(): Promise<{ connection: Connection; rows: () => unknown[] }> {
  const dataDir = newDirectory();
  await (await openStore(dataDir)).close();
  const connection = openConnection(storePath(dataDir), { mode: 'write' });
  connection.exec('CREATE TABLE t (a INTEGER PRIMARY KEY)');
  return { connection, rows: () => connection.all<{ a: number }>('SELECT a FROM t').map(({ a }) => a) };
}

test('units of one transaction commit together; one that throws undoes itself alone', async () => {
  const { connection, rows } = await openTable();
  const insert = (a: number) => () => connection.run('INSERT INTO t VALUES (?)', a).num;
  const broken = () => {
    insert(7)();
    throw new Error('no');
  };
  const outcomes = commitTogether(connection, [insert(1), broken, insert(1), insert(2)]);
  assert.deepEqual(
    outcomes.map((each) => ('value' in each ? each.value : 'thrown')),
    [1, 'thrown', 'thrown', 2],
  );
  assert.deepEqual(rows(), [1, 2]);
  connection.close();
});

test('when the transaction is rolled back as a whole, each unit is tried alone and answers for itself', async () => {
  const { connection, rows } = await openTable();
  const insert = (a: number) => () => connection.run('INSERT INTO t VALUES (?)', a).num;
  // As SQLite itself does when the disk is full in the middle (sqlite.org/lang_transaction.html).
  const undoingAll = () => {
    connection.exec('ROLLBACK');
    throw new Error('disk full');
  };
  const outcomes = commitTogether(connection, [insert(1), undoingAll, insert(2)]);
  assert.deepEqual(
    outcomes.map((each) => ('value' in each ? each.value : 'thrown')),
    [1, 'thrown', 2],
  );
  assert.deepEqual(rows(), [1, 2]);
  connection.close();
});
