import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { AuditRecord } from '../../schemas/audit.ts';
import { readRecord, textOf } from '../../src/core/audit/chain.ts';
import type { AuditReport } from '../../src/core/audit/verify-types.ts';
import { createAnchorFile } from '../../src/store/audit-file.ts';
import type { AuditEvent } from '../../src/core/audit/types.ts';
import { newPlace } from '../core/audit/audit-rig.ts';
import { relinked } from '../core/audit/chain-rig.ts';
import { runCli, startCli, temporaryDirectory } from './command-line.ts';

/** A data directory whose audit has ten records, and the command line for it. */
async function filled(t: TestContext, event: (n: number) => AuditEvent = (n) => ({ type: 'run.ended', data: { n } })) {
  const place = await newPlace(t);
  const anchor = join(temporaryDirectory(t), 'anchor.jsonl');
  const audit = await place.open({ outside: [createAnchorFile(anchor)], checkpointEvery: () => 4 });
  for (let n = 1; n <= 10; n += 1) await audit.append(event(n));
  const environment = { SALLYPORT_DATA_DIR: place.dataDir };
  const cwd = temporaryDirectory(t);
  const cli = (...args: string[]) => runCli(['audit', ...args], { environment, cwd });
  return { ...place, audit, anchor, cli, cwd, environment };
}

function parsedRecord(line: string): AuditRecord {
  const found = readRecord(line);
  assert.ok(found !== undefined, line);
  return found.record;
}

test('verify says that all is well beside a gateway that writes, and without one', async (t) => {
  const { cli, audit, anchor } = await filled(t);
  const beside = await cli('verify');
  assert.equal(beside.code, 0, beside.stderr);
  assert.match(beside.stdout, /agree: 10 records in both copies, signed up to record 8/);
  await audit.close();
  const after = await cli('verify', '--anchor', anchor, '--json');
  assert.equal(after.code, 0, after.stderr);
  const { ok, signedUntil, unsigned, faults } = JSON.parse(after.stdout) as AuditReport;
  assert.deepEqual([ok, signedUntil, unsigned, faults], [true, 10, undefined, []]);
  const shown = await cli('verify');
  assert.match(shown.stdout, /The audit is whole: 10 records in both copies, signed up to record 10/);
  assert.equal(shown.stderr, '');
});

test('verify calls nothing whole that is not signed: it names the records that could have been changed unseen', async (t) => {
  const { cli, audit, dataDir, paths } = await filled(t);
  const records = readFileSync(paths.records, 'utf8').trimEnd().split('\n').map(parsedRecord);
  const copy = join(temporaryDirectory(t), 'copy');
  cpSync(dataDir, copy, { recursive: true });
  // What an attacker does who knows the format and has no key: from record 9 on everything is made anew, in both copies.
  const forged = relinked(records.with(8, { ...records[8], data: { n: 'forged' } } as AuditRecord), 8).map(textOf);
  writeFileSync(join(copy, 'audit', 'audit.jsonl'), forged.join('\n').concat('\n'));
  const database = new DatabaseSync(join(copy, 'sallyport.db'), { timeout: 30_000 });
  const change = database.prepare('UPDATE audit SET record = ? WHERE seq = ?');
  for (const [index, text] of forged.entries()) change.run(text, index + 1);
  database.close();
  const told = await runCli(['audit', 'verify'], { environment: { SALLYPORT_DATA_DIR: copy } });
  assert.equal(told.code, 0);
  assert.doesNotMatch(told.stdout, /whole/);
  assert.match(
    told.stderr,
    /records 9 to 10 are not signed yet: whoever can write both copies could have changed them/,
  );
  const { unsigned } = JSON.parse((await cli('verify', '--json')).stdout) as AuditReport;
  assert.deepEqual(unsigned, { from: 9, until: 10 });
  await audit.append({ type: 'run.ended' });
  assert.match((await cli('verify')).stderr, /records 9 to 11 are/);
});

test('audit without a word says which words there are', async () => {
  const { code, stderr } = await runCli(['audit']);
  assert.equal(code, 2);
  assert.match(stderr, /audit takes verify, tail, export or key\.$/m);
  assert.match((await runCli(['audit', 'sign'])).stderr, /export or key, not 'sign'\./);
});

test('verify names the record that was changed, removed or cut off, in either copy, and answers with 1', async (t) => {
  const { cli, audit, paths, dataDir } = await filled(t);
  await audit.close();
  const whole = readFileSync(paths.records, 'utf8');
  const lines = whole.trimEnd().split('\n');
  const inFile: [RegExp, string][] = [
    [/record 5 {2}changed {2}\(file\)/, whole.replace('"n":5}', '"n":6}')],
    [/record 7 {2}removed {2}\(file\)/, lines.toSpliced(6, 1).join('\n').concat('\n')],
    [
      /record 4 {2}inserted {2}\(file\)/,
      lines
        .toSpliced(3, 0, lines[3] ?? '')
        .join('\n')
        .concat('\n'),
    ],
    [/record(s 9 to)? 10 {2}truncated {2}\(file\)/, lines.slice(0, 8).join('\n').concat('\n')],
  ];
  for (const [pattern, text] of inFile) {
    writeFileSync(paths.records, text);
    const { code, stdout } = await cli('verify');
    assert.equal(code, 1, stdout);
    assert.match(stdout, pattern);
  }
  writeFileSync(paths.records, whole);
  const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
  database.exec("UPDATE audit SET run_id = 'run_hidden' WHERE seq = 3");
  assert.match((await cli('verify')).stdout, /record 3 {2}changed {2}\(table\)/);
  database.exec("UPDATE audit SET run_id = NULL WHERE seq = 3; UPDATE audit SET record = 'x' WHERE seq = 10");
  assert.match((await cli('verify')).stdout, /record 10 {2}unreadable {2}\(table\)/);
  database.exec("UPDATE audit_checkpoints SET checkpoint = '{}' WHERE seq = 8");
  assert.match((await cli('verify')).stdout, /unreadable {2}\(checkpoints of the table\)/);
  database.close();
});

test('an anchor tells what was cut off from everything here, also as a log server or a webhook kept it', async (t) => {
  const { cli, audit, paths, dataDir, anchor, cwd } = await filled(t);
  await audit.close();
  const database = new DatabaseSync(join(dataDir, 'sallyport.db'), { timeout: 30_000 });
  database.exec('DELETE FROM audit WHERE seq > 4; DELETE FROM audit_checkpoints WHERE seq > 4');
  database.close();
  const first = (path: string, keep: (text: string) => boolean): void =>
    writeFileSync(path, readFileSync(path, 'utf8').split('\n').filter(keep).join('\n'));
  const seqOf = (text: string): number => (text === '' ? 0 : (JSON.parse(text) as { seq: number }).seq);
  for (const path of [paths.records, paths.checkpoints]) first(path, (text) => seqOf(text) <= 4);
  assert.equal((await cli('verify')).code, 0);
  const kept = readFileSync(anchor, 'utf8').trimEnd().split('\n');
  writeFileSync(
    join(cwd, 'syslog'),
    kept.map((text) => `Nov 22 host <109>1 x h sallyport - checkpoint - \ufeff${text}\n`).join(''),
  );
  writeFileSync(join(cwd, 'hooks'), kept.map((text) => `{"type":"audit.checkpoint","data":${text}}\n`).join(''));
  for (const file of [anchor, 'syslog', 'hooks']) {
    const { code, stdout } = await cli('verify', '--anchor', file);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /records 5 to 10 {2}truncated/);
  }
  const other = await cli('verify', '--anchor', 'none');
  assert.deepEqual([other.code, other.stdout], [2, '']);
});

test('only the public key that was kept elsewhere tells a key that was put in place of the old one', async (t) => {
  const { cli, audit, paths, cwd } = await filled(t);
  await audit.close();
  const shown = await cli('key');
  assert.match(shown.stdout, /^-----BEGIN PUBLIC KEY-----/);
  assert.doesNotMatch(shown.stdout, /PRIVATE/);
  writeFileSync(join(cwd, 'kept.pem'), shown.stdout);
  assert.equal((await cli('verify', '--public-key', 'kept.pem')).code, 0);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(paths.key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const replaced = await cli('verify');
  assert.equal(replaced.code, 1);
  assert.match(replaced.stdout, /forged/);
  assert.equal((await cli('verify', '--public-key', 'kept.pem')).code, 0);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  const wrong: Readonly<Record<string, string | Buffer>> = {
    private: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    rsa: rsa.export({ type: 'spki', format: 'pem' }),
    text: 'hello',
  };
  for (const [name, content] of Object.entries(wrong)) {
    writeFileSync(join(cwd, name), content);
    assert.equal((await cli('verify', '--public-key', name)).code, 2, name);
  }
  assert.equal((await cli('verify', '--public-key', 'none')).code, 2);
  const other = publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(join(cwd, 'other.pem'), other);
  assert.equal((await cli('verify', '--public-key', 'other.pem', '--public-key', 'kept.pem')).code, 0);
});

test('tail shows the last records, one line each, and follows what is written', async (t) => {
  const { cli, audit, environment, cwd } = await filled(t, (n) => ({
    type: 'run.ended',
    runId: `run_${n}\u001b[2J`,
    data: { n },
  }));
  const { code, stdout } = await cli('tail', '--lines', '2');
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual([code, lines.length], [0, 2]);
  assert.match(lines[1] ?? '', /^10 {2}\d{4}-.*Z {2}run\.ended {2}gateway {2}run_10$/);
  const json = (await cli('tail', '-n', '1', '--json')).stdout;
  assert.deepEqual((JSON.parse(json) as { data: unknown }).data, { n: 10 });
  const child = startCli(['audit', 'tail', '-n', '0', '--follow'], { environment, cwd });
  t.after(() => child.kill());
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  while (!text.includes('kill.engaged')) {
    await audit.append({ type: 'kill.engaged' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill('SIGINT');
});

test('export writes a new file of mode 0600, or standard output, whole or since a moment', async (t) => {
  const { cli, cwd, paths } = await filled(t);
  const printed = await cli('export', '--format', 'jsonl');
  assert.equal(printed.stdout, readFileSync(paths.records, 'utf8'));
  assert.equal((await cli('export', '--format', 'ocsf', '--output', 'events')).code, 0);
  const path = join(cwd, 'events');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const events = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type_uid: number });
  assert.deepEqual([events.length, events[0]?.type_uid], [10, 600_303]);
  assert.equal((await cli('export', '--format', 'ocsf', '--output', 'events')).code, 1);
  assert.equal((await cli('export', '--format', 'jsonl', '--since', '1h')).stdout.split('\n').length, 11);
  assert.equal((await cli('export', '--format', 'jsonl', '--since', '2999-01-01')).stdout, '');
  for (const args of [
    ['export'],
    ['export', '--format', 'xml'],
    ['export', '--format', 'jsonl', '--since', 'x'],
    ['tail', '-n', 'x'],
    ['sign'],
    [],
  ]) {
    assert.equal((await cli(...args)).code, 2, args.join(' '));
  }
});

test('without an audit nothing is made, and verify does not say that all is well', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  const environment = { SALLYPORT_DATA_DIR: dataDir };
  assert.notEqual((await runCli(['audit', 'verify'], { environment })).code, 0);
  assert.equal(existsSync(dataDir), false);
  const { dataDir: full, paths, cli, audit } = await filled(t);
  await audit.close();
  const copy = join(temporaryDirectory(t), 'copy');
  mkdirSync(copy, { mode: 0o700 });
  cpSync(full, copy, { recursive: true });
  rmSync(join(copy, 'audit', 'audit.jsonl'));
  const gone = await runCli(['audit', 'verify'], { environment: { SALLYPORT_DATA_DIR: copy } });
  assert.equal(gone.code, 1);
  assert.match(gone.stdout, /records 1 to 10 {2}truncated {2}\(file\) it is empty/);
  // A line that a loss of power tore is cut off by the next start; it is no deed of anybody.
  appendFileSync(paths.records, '{"at":"torn');
  assert.equal((await cli('verify')).code, 0);
});
