import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createPublicKey } from 'node:crypto';
import { isSignedBy, readCheckpoint, signCheckpoint } from '../../src/core/audit/checkpoint.ts';
import { auditPaths, createAnchorFile, createAuditFile } from '../../src/store/audit-file.ts';
import { openAuditKey, readAuditKey } from '../../src/store/audit-key.ts';
import { readLines } from '../../src/store/audit-lines.ts';

const UNAVAILABLE = { code: 'ERR_AUDIT_UNAVAILABLE' };

function newDataDir(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sallyport-audit-file-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('the key is made once, of mode 0600, and comes back the same', (t) => {
  const dataDir = newDataDir(t);
  assert.throws(() => readAuditKey(dataDir), UNAVAILABLE);
  const made = openAuditKey(dataDir);
  const { key, directory } = auditPaths(dataDir);
  assert.deepEqual([statSync(key).mode & 0o777, statSync(directory).mode & 0o777], [0o600, 0o700]);
  assert.equal(openAuditKey(dataDir).keyId, made.keyId);
  assert.match(made.publicKey, /^-----BEGIN PUBLIC KEY-----/);
  const checkpoint = signCheckpoint(made, { seq: 1, hash: 'ab'.repeat(32), at: new Date(0).toISOString() });
  assert.ok(isSignedBy(checkpoint, createPublicKey(made.publicKey)));
  assert.equal(isSignedBy({ ...checkpoint, seq: 2 }, createPublicKey(made.publicKey)), false);
});

test('a key that others may read, a link, and a file that is no key are refused, and stay as they are', (t) => {
  const dataDir = newDataDir(t);
  const { key, directory } = auditPaths(dataDir);
  openAuditKey(dataDir);
  chmodSync(key, 0o640);
  assert.throws(() => openAuditKey(dataDir), UNAVAILABLE);
  writeFileSync(key, 'hello', { mode: 0o600 });
  chmodSync(key, 0o600);
  assert.throws(() => openAuditKey(dataDir), UNAVAILABLE);
  assert.equal(readFileSync(key, 'utf8'), 'hello');
  rmSync(key);
  writeFileSync(join(directory, 'elsewhere'), 'hello', { mode: 0o600 });
  symlinkSync('elsewhere', key);
  assert.throws(() => openAuditKey(dataDir), UNAVAILABLE);
});

test('a torn line is cut off, and whole lines are read from wherever they are asked for', async (t) => {
  const dataDir = newDataDir(t);
  const { directory, records } = auditPaths(dataDir);
  mkdirSync(directory, { mode: 0o700 });
  const line = (seq: number): string => JSON.stringify({ seq, text: 'ä'.repeat(seq % 4000) });
  const whole = Array.from({ length: 2000 }, (_, index) => line(index + 1));
  writeFileSync(records, `${whole.join('\n')}\n${line(2001).slice(0, 400)}`, { mode: 0o600 });
  const file = createAuditFile(dataDir);
  t.after(() => file.close());
  const { last, cutBytes } = await file.open();
  assert.deepEqual([last, cutBytes > 0], [whole.at(-1), true]);
  for (const seq of [0, 1, 700, 1998, 1999, 2000]) {
    assert.deepEqual(await allOf(file.after(seq)), whole.slice(seq), String(seq));
  }
  await file.append([line(2001), line(2002)]);
  assert.deepEqual(await allOf(file.after(2000)), [line(2001), line(2002)]);
});

test('a line without end takes no memory, and hides none of the lines behind it', async (t) => {
  const path = join(newDataDir(t), 'lines');
  writeFileSync(path, `first\n${'x'.repeat(9_000_000)}\nlast\npart`);
  const texts = (await allOf(readLines(path))).map(({ text }) => text);
  assert.deepEqual([texts.length, texts[0], texts[2], texts[3]], [4, 'first', 'last', 'part']);
  assert.ok((texts[1]?.length ?? 0) < 2_000_000);
  assert.deepEqual(await allOf(readLines(`${path}-none`)), []);
});

test('a file that others may write to, and a link in its place, are refused', async (t) => {
  const dataDir = newDataDir(t);
  const { directory, records } = auditPaths(dataDir);
  mkdirSync(directory, { mode: 0o700 });
  writeFileSync(records, '', { mode: 0o600 });
  chmodSync(records, 0o666);
  const file = createAuditFile(dataDir);
  t.after(() => file.close());
  await assert.rejects(file.open(), UNAVAILABLE);
  rmSync(records);
  symlinkSync(join(dataDir, 'target'), records);
  await assert.rejects(file.open(), { code: 'ELOOP' });
  assert.equal(existsSync(join(dataDir, 'target')), false);
  await assert.rejects(file.append(['x']));
});

test('an anchor file gets one line for each checkpoint, behind what is there', async (t) => {
  const path = join(newDataDir(t), 'anchor.jsonl');
  const signer = openAuditKey(newDataDir(t));
  const checkpoint = (seq: number) =>
    signCheckpoint(signer, { seq, hash: 'ab'.repeat(32), at: new Date(seq).toISOString() });
  await createAnchorFile(path).send(checkpoint(1));
  await createAnchorFile(path).send(checkpoint(2));
  const read = readFileSync(path, 'utf8').trimEnd().split('\n').map(readCheckpoint);
  assert.deepEqual(read, [checkpoint(1), checkpoint(2)]);
  await assert.rejects(createAnchorFile(join(path, 'below')).send(checkpoint(3)));
});

async function allOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
