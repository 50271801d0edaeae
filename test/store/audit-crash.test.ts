import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { newPlace } from '../core/audit/audit-rig.ts';

const SCRIPT = `
const [store, audit, anchors, file, key, dataDir] = process.argv.slice(1);
const { openStore } = await import(store);
const { createAudit } = await import(audit);
const { createAnchors } = await import(anchors);
const { createAuditFile } = await import(file);
const { openAuditKey } = await import(key);
const none = () => undefined;
const log = { info: none, warn: none, error: none };
const recorder = { count: none, gauge: none, observe: none };
const clock = { now: Date.now, monotonic: () => 0 };
const opened = await openStore(dataDir);
const written = await createAudit({ store: opened.audit, file: createAuditFile(dataDir), signer: openAuditKey(dataDir),
  checkpointEvery: () => 7, anchors: createAnchors({ anchors: [], recorder, log }), clock, recorder, log });
for (;;) {
  const batch = Array.from({ length: 20 }, () => written.append({ type: 'run.started', data: { text: 'x'.repeat(500) } }));
  for (const each of batch) void each.then(({ seq, hash }) => process.stdout.write(seq + ' ' + hash + '\\n'));
  await Promise.all(batch);
}`;
const MODULES = ['store/store', 'core/audit/audit', 'core/audit/anchors', 'store/audit-file', 'store/audit-key'].map(
  (name) => new URL(`../../src/${name}.ts`, import.meta.url).href,
);

/** Starts a writer, kills it after so many acknowledged records, and answers with what it had told as written. */
async function writeAndDie(dataDir: string, count: number): Promise<readonly string[]> {
  const args = ['--input-type=module', '-e', SCRIPT, ...MODULES, dataDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let text = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    text += chunk;
    if (text.split('\n').length > count) child.kill('SIGKILL');
  });
  await closed;
  return text.split('\n').slice(0, -1);
}

test('after kill -9 in the middle of writing, again and again, every acknowledged record is there and the chain is whole', async (t) => {
  const { dataDir, paths, open, verify, store } = await newPlace(t);
  const told: string[] = [];
  for (const count of [15, 64, 33]) {
    told.push(...(await writeAndDie(dataDir, count)));
    // What a loss of power leaves: the beginning of a line.
    appendFileSync(paths.records, readFileSync(paths.records, 'utf8').slice(0, 200).replaceAll('\n', ' '));
    const audit = await open();
    assert.equal(audit.fault(), undefined);
    await audit.close();
    assert.deepEqual((await verify()).faults, []);
  }
  assert.ok(told.length >= 112);
  for (const line of told) {
    const [seq, hash] = line.split(' ');
    const [row] = await store.audit.page({ after: Number(seq) - 1, limit: 1 });
    assert.equal(row?.hash, hash, line);
  }
});
