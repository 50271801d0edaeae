import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { test } from 'node:test';
import { auditWritable } from '../../../src/core/audit/health.ts';
import { breaking, newPlace, until } from './audit-rig.ts';

const UNAVAILABLE = { code: 'ERR_AUDIT_UNAVAILABLE' };
const lines = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

test('a record is in the table and in the file when it is acknowledged, linked, and of mode 0600', async (t) => {
  const { open, store, paths, verify, counted, gauges } = await newPlace(t);
  const audit = await open();
  const one = await audit.append({ type: 'run.accepted', principal: 'key_a', runId: 'run_1', data: { argv: ['-n'] } });
  assert.deepEqual(JSON.parse(lines(paths.records)[0] ?? ''), one);
  assert.deepEqual(await store.audit.last(), one);
  const two = await audit.append({ type: 'run.started', principal: 'key_a', runId: 'run_1' });
  assert.deepEqual([one.seq, two.seq, two.prev, one.prev], [1, 2, one.hash, '0'.repeat(64)]);
  assert.deepEqual((await audit.page({ runId: 'run_1', type: 'run.started' })).records, [two]);
  for (const path of [paths.records, paths.checkpoints, paths.key])
    assert.equal(statSync(path).mode & 0o777, 0o600, path);
  assert.deepEqual(
    counted.filter((line) => line.startsWith('sallyport_audit_records_total')),
    ['sallyport_audit_records_total run.accepted', 'sallyport_audit_records_total run.started'],
  );
  assert.equal(gauges.get('sallyport_audit_writable'), 1);
  await audit.close();
  assert.equal((await verify()).ok, true);
});

test('many appends at once become one chain in the order of the calls, notes among them', async (t) => {
  const { open, verify, paths } = await newPlace(t);
  const audit = await open({ checkpointEvery: () => 64 });
  const appended: Promise<unknown>[] = [];
  for (let n = 0; n < 300; n += 1) {
    if (n % 3 === 0) audit.note({ type: 'run.ended', data: { n } });
    else appended.push(audit.append({ type: 'run.started', data: { n } }));
  }
  await Promise.all(appended);
  await audit.close();
  const written = lines(paths.records).map((line) => JSON.parse(line) as { seq: number; data: { n: number } });
  assert.deepEqual(
    written.map(({ seq, data }) => [seq, data.n]),
    Array.from({ length: 300 }, (_, n) => [n + 1, n]),
  );
  const signed = lines(paths.checkpoints).map((line) => (JSON.parse(line) as { seq: number }).seq);
  assert.deepEqual(signed, [0, 64, 128, 192, 256, 300]);
  assert.equal((await verify()).ok, true);
});

test('the time of a record is never before that of the one before, whatever the clock does', async (t) => {
  const { open } = await newPlace(t);
  let now = 5_000_000;
  const audit = await open({ clock: { now: () => now, monotonic: () => 0 } });
  const one = await audit.append({ type: 'run.started' });
  now = 1;
  const two = await audit.append({ type: 'run.ended' });
  assert.equal(two.at, one.at);
});

for (const copy of ['store', 'file'] as const) {
  for (const when of ['before', 'after'] as const) {
    test(`while the ${copy} fails ${when} the write nothing starts, and afterwards both copies agree`, async (t) => {
      const { open, store, file, verify, logged, gauges } = await newPlace(t);
      const fails: { isBroken: false | 'before' | 'after' } = { isBroken: false };
      const parts = copy === 'store' ? { store: breaking(store.audit, fails) } : { file: breaking(file, fails) };
      const audit = await open(parts);
      await audit.append({ type: 'run.started', data: { n: 1 } });
      fails.isBroken = when;
      audit.note({ type: 'run.ended', data: { n: 2 } });
      await assert.rejects(audit.append({ type: 'run.started', data: { n: 3 } }), UNAVAILABLE);
      assert.throws(() => audit.requireWritable(), UNAVAILABLE);
      await assert.rejects(audit.append({ type: 'run.started', data: { n: 4 } }), UNAVAILABLE);
      assert.equal((await auditWritable(audit).run(AbortSignal.timeout(1000))).ok, false);
      assert.equal(gauges.get('sallyport_audit_writable'), 0);
      audit.note({ type: 'run.ended', data: { n: 5 } });
      fails.isBroken = false;
      await until(() => audit.fault() === undefined);
      await audit.append({ type: 'run.started', data: { n: 6 } });
      assert.equal((await auditWritable(audit).run(AbortSignal.timeout(1000))).ok, true);
      await audit.close();
      const report = await verify();
      assert.deepEqual(report.faults, []);
      const { records } = await audit.page({ limit: 1000 });
      const written = records.map(({ data }) => data['n']);
      // What was noted is there once; what was refused may be there once, if it had arrived.
      assert.deepEqual(
        written.filter((n) => n !== 3),
        [1, 2, 5, 6],
      );
      assert.ok(written.filter((n) => n === 3).length <= 1);
      assert.ok(logged.includes('audit.failed') && logged.includes('audit.recovered'));
    });
  }
}

test('what only the file has after a crash is completed into the table, and the other way round', async (t) => {
  const { open, store, file, dataDir, paths, verify, logged } = await newPlace(t);
  const audit = await open();
  for (let n = 0; n < 700; n += 1) audit.note({ type: 'run.ended', data: { n } });
  await audit.append({ type: 'run.started' });
  await audit.close();
  const whole = readFileSync(paths.records);
  const cut = (sql: string): void => {
    const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
    database.exec(sql);
    database.close();
  };
  cut('DELETE FROM audit WHERE seq > 3; DELETE FROM audit_checkpoints WHERE seq > 3');
  await (await open()).close();
  assert.equal((await store.audit.last())?.seq, 701);
  writeFileSync(paths.records, lines(paths.records).slice(0, 5).join('\n').concat('\n{"at":"torn'));
  await (await open()).close();
  assert.deepEqual(readFileSync(paths.records), whole);
  rmSync(paths.records);
  await (await open()).close();
  assert.deepEqual(readFileSync(paths.records), whole);
  assert.equal(logged.filter((event) => event === 'audit.recovered').length, 3);
  assert.equal((await verify()).ok, true);
  await file.close();
});

test('copies that contradict each other, or what was signed, are not written to, and nothing starts', async (t) => {
  const { open, dataDir, paths } = await newPlace(t);
  const audit = await open({ checkpointEvery: () => 2 });
  for (let n = 0; n < 5; n += 1) await audit.append({ type: 'run.ended', data: { n } });
  await audit.close();
  const whole = readFileSync(paths.records, 'utf8');
  const signed = readFileSync(paths.checkpoints, 'utf8');
  const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
  t.after(() => database.close());
  const deeds: Readonly<Record<string, () => void>> = {
    'the last record of the file changed': () => writeFileSync(paths.records, whole.replace('"n":4', '"n":5')),
    'a foreign line at its end': () => writeFileSync(paths.records, `${whole}hello\n`),
    'both copies cut off': () => {
      writeFileSync(paths.records, whole.split('\n').slice(0, 3).join('\n').concat('\n'));
      database.exec('CREATE TABLE kept AS SELECT * FROM audit; DELETE FROM audit WHERE seq > 3');
    },
    'a checkpoint of somebody else': () =>
      writeFileSync(
        paths.checkpoints,
        signed.replace(/"signature":"....[^"]*"\}\n$/, `"signature":"${'A'.repeat(86)}=="}\n`),
      ),
    'a checkpoint that is none': () => writeFileSync(paths.checkpoints, '{}\n'),
  };
  for (const [what, deed] of Object.entries(deeds)) {
    deed();
    const [file, last] = [
      readFileSync(paths.records, 'utf8'),
      database.prepare('SELECT max(seq) AS n FROM audit').get(),
    ];
    const hindered = await open({ retryMs: 60_000 });
    assert.throws(() => hindered.requireWritable(), UNAVAILABLE, what);
    await assert.rejects(hindered.append({ type: 'run.started' }), UNAVAILABLE, what);
    await hindered.close();
    assert.equal(readFileSync(paths.records, 'utf8'), file, what);
    assert.deepEqual(database.prepare('SELECT max(seq) AS n FROM audit').get(), last, what);
    writeFileSync(paths.records, whole);
    writeFileSync(paths.checkpoints, signed);
    if (what === 'both copies cut off') database.exec('DELETE FROM audit; INSERT INTO audit SELECT * FROM kept');
  }
  assert.equal((await open()).fault(), undefined);
});

test('a file that is taken away or written to by somebody else while the gateway runs is noticed at the next record', async (t) => {
  const { open, paths, verify } = await newPlace(t);
  const audit = await open();
  await audit.append({ type: 'run.started' });
  renameSync(paths.records, `${paths.records}.gone`);
  await assert.rejects(audit.append({ type: 'run.started' }), UNAVAILABLE);
  await until(() => audit.fault() === undefined);
  assert.ok(existsSync(paths.records));
  const before = lines(paths.records).length;
  writeFileSync(paths.records, '{"at":"half', { flag: 'a' });
  await assert.rejects(audit.append({ type: 'run.started' }), UNAVAILABLE);
  await until(() => audit.fault() === undefined);
  await audit.append({ type: 'run.ended' });
  await audit.close();
  assert.ok(lines(paths.records).length > before);
  assert.deepEqual((await verify()).faults, []);
});

test('a closed audit takes nothing more, and closing twice is closing once', async (t) => {
  const { open } = await newPlace(t);
  const audit = await open();
  await Promise.all([audit.close(), audit.close()]);
  await assert.rejects(audit.append({ type: 'run.started' }), UNAVAILABLE);
  assert.throws(() => audit.requireWritable(), UNAVAILABLE);
});

test('a page is bounded, says where the next one begins, and never walks millions of records for a rare principal', async (t) => {
  const { open } = await newPlace(t);
  const audit = await open();
  for (let n = 1; n <= 30; n += 1) audit.note({ type: 'plan.made', principal: n % 10 === 0 ? 'rare' : 'often' });
  await audit.append({ type: 'run.started' });
  const first = await audit.page({ limit: 10 });
  assert.deepEqual([first.records.length, first.nextAfter], [10, 10]);
  const rare = await audit.page({ principal: 'rare', limit: 2 });
  assert.deepEqual([rare.records.map(({ seq }) => seq), rare.nextAfter], [[10, 20], 20]);
  const rest = await audit.page({ principal: 'rare', limit: 2, after: 20 });
  assert.deepEqual([rest.records.map(({ seq }) => seq), rest.nextAfter], [[30], undefined]);
  for (const query of [{ limit: 0 }, { limit: 1001 }, { after: -1 }, { after: 0.5 }]) {
    await assert.rejects(async () => audit.page(query), { code: 'ERR_INPUT_INVALID' });
  }
});
