import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AuditRecord } from '../../../schemas/audit.ts';
import { readRecord, textOf } from '../../../src/core/audit/chain.ts';
import { auditPaths } from '../../../src/store/audit-file.ts';
import { newPlace, type Place, until } from './audit-rig.ts';
import { relinked } from './chain-rig.ts';

const lines = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');
const signedAt = (path: string): number[] => lines(path).map((line) => (JSON.parse(line) as { seq: number }).seq);

/** Writes both copies anew from a record on, with every hash made again: what somebody does who has no key. */
function forge({ dataDir, paths }: Pick<Place, 'dataDir' | 'paths'>, seq: number): void {
  const records = lines(paths.records).map((line) => readRecord(line)?.record as AuditRecord);
  const record = records[seq - 1] as AuditRecord;
  const forged = relinked(records.with(seq - 1, { ...record, principal: 'somebody else' }), seq - 1).map(textOf);
  writeFileSync(paths.records, forged.join('\n').concat('\n'));
  const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
  const change = database.prepare('UPDATE audit SET record = ? WHERE seq = ?');
  for (const [index, text] of forged.entries()) change.run(text, index + 1);
  database.close();
}

/** A data directory as a killed gateway leaves it: six records, of which the last two are not signed. */
async function killed(t: TestContext): Promise<Place> {
  const place = await newPlace(t);
  const audit = await place.open({ checkpointEvery: () => 4 });
  for (let n = 0; n < 6; n += 1) await audit.append({ type: 'run.ended', data: { n } });
  const left = await newPlace(t);
  await (await left.open()).close();
  const database = new DatabaseSync(join(place.dataDir, 'sallyport.db'), { timeout: 30_000 });
  const to = new DatabaseSync(join(left.dataDir, 'sallyport.db'), { timeout: 30_000 });
  for (const [table, width] of [
    ['audit', 4],
    ['audit_checkpoints', 2],
  ] as const) {
    to.exec(`DELETE FROM ${table}`);
    const add = to.prepare(`INSERT INTO ${table} VALUES (${Array.from({ length: width }, () => '?').join(', ')})`);
    for (const row of database.prepare(`SELECT * FROM ${table}`).all()) add.run(...Object.values(row));
  }
  database.close();
  to.close();
  const [from, into] = [auditPaths(place.dataDir), auditPaths(left.dataDir)];
  for (const name of ['records', 'checkpoints', 'key'] as const) copyFileSync(from[name], into[name]);
  return left;
}

test('no record stays unsigned for longer than a moment, however quiet it is', async (t) => {
  const { open, paths, verify } = await newPlace(t);
  const audit = await open({ signMs: 20 });
  await audit.append({ type: 'run.started' });
  await until(() => audit.identity().checkpoint?.seq === 1);
  await Promise.all([audit.append({ type: 'run.ended' }), audit.append({ type: 'run.ended' })]);
  await until(() => audit.identity().checkpoint?.seq === 3);
  assert.deepEqual(signedAt(paths.checkpoints).slice(0, 2), [0, 1]);
  assert.equal((await verify()).unsigned, undefined);
});

test('one time to sign counts from the first unsigned record on, and what was signed meanwhile is not signed again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { open, paths } = await newPlace(t);
  const audit = await open({ checkpointEvery: () => 3 });
  await audit.append({ type: 'run.started' });
  t.mock.timers.tick(59_999);
  await audit.append({ type: 'run.ended' });
  assert.deepEqual(signedAt(paths.checkpoints), [0]);
  t.mock.timers.tick(1);
  await until(() => audit.identity().checkpoint?.seq === 2);
  for (let n = 0; n < 3; n += 1) await audit.append({ type: 'run.ended' });
  t.mock.timers.tick(120_000);
  await audit.close();
  assert.deepEqual(signedAt(paths.checkpoints), [0, 2, 5]);
});

test('a checkpoint that fell due while the audit could not be written is written with the first one that can', async (t) => {
  const place = await newPlace(t);
  let isBroken = false;
  const addCheckpoint = async (line: string): Promise<void> => {
    if (isBroken) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    await place.file.addCheckpoint(line);
  };
  const audit = await place.open({ signMs: 10, file: { ...place.file, addCheckpoint } });
  isBroken = true;
  await audit.append({ type: 'run.started' });
  await until(() => audit.fault() !== undefined);
  isBroken = false;
  await until(() => audit.fault() === undefined);
  assert.equal(audit.identity().checkpoint?.seq, 1);
});

test('a chain that is not signed to its end is told with the records that are not', async (t) => {
  const { open, verify } = await newPlace(t);
  const audit = await open({ checkpointEvery: () => 4 });
  for (let n = 0; n < 6; n += 1) await audit.append({ type: 'run.ended', data: { n } });
  const report = await verify();
  assert.deepEqual([report.ok, report.signedUntil, report.unsigned], [true, 4, { from: 5, until: 6 }]);
  await audit.close();
  assert.equal((await verify()).unsigned, undefined);
});

test('a start after a kill signs what it finds and says which records nobody had signed', async (t) => {
  const place = await killed(t);
  const audit = await place.open();
  assert.deepEqual(audit.unsignedAtStart(), { from: 5, until: 6 });
  assert.ok(place.logged.includes('audit.recovered'));
  assert.equal((await place.verify()).unsigned, undefined);
  await audit.close();
  const later = await place.open();
  assert.equal(later.unsignedAtStart(), undefined, 'after an orderly end there is nothing to tell');
});

test('an unsigned end that is forged while the gateway runs is never signed by it', async (t) => {
  const place = await newPlace(t);
  const audit = await place.open({ checkpointEvery: () => 4 });
  for (let n = 0; n < 6; n += 1) await audit.append({ type: 'run.ended', principal: 'bob', data: { n } });
  forge(place, 5);
  await assert.rejects(audit.append({ type: 'run.started' }), { code: 'ERR_AUDIT_UNAVAILABLE' });
  // To close is to try once more.
  await audit.close();
  assert.match(audit.fault() ?? '', /record 6/);
  assert.deepEqual(signedAt(place.paths.checkpoints).at(-1), 4);
});
