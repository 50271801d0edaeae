import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Run } from '../../schemas/run-record.ts';
import { READS } from '../../src/store/reads.ts';
import { openStoreFile } from '../../src/store/store-file.ts';
import { fuzzPlan } from '../fixtures/fuzz.ts';
import { newDirectory } from './rig.ts';
import { chunkText } from './writing-child.ts';

const KILLS = process.env['SALLYPORT_TEST_NIGHTLY'] === '1' ? 400 : 100;
/** Kills of one file; then the next one begins, so that its making is killed too. */
const LIVES = 5;

interface Acknowledged {
  readonly runs: Map<string, { seq: number; chunks: number; secret?: string; isRemoving: boolean; isRemoved: boolean }>;
}

/** A generator that a seed decides (mulberry32): the moments of the kills can be had again, up to the machine's load. */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets a process write and kills it: a while after its first word, or while it is still starting. */
async function liveAndDie(dataDir: string, next: () => number): Promise<string> {
  const said = join(dataDir, 'said');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writing-child.ts'), dataDir, said], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const spoke = new Promise<void>((resolve) => {
    child.stdout.once('data', () => resolve());
  });
  const isEarly = next() < 0.2;
  if (!isEarly) await Promise.race([spoke, closed]);
  await delay(next() * (isEarly ? 400 : 150));
  child.kill('SIGKILL');
  await closed;
  assert.equal(child.signalCode, 'SIGKILL', 'it ended before it was killed');
  return existsSync(said) ? readFileSync(said, 'utf8') : '';
}

function note({ runs }: Acknowledged, said: string): void {
  // What follows the last line end was not acknowledged whole.
  for (const line of said.slice(0, said.lastIndexOf('\n') + 1).split('\n')) {
    const [what, runId = '', value = ''] = line.split(' ');
    const run = runs.get(runId);
    if (what === 'created') runs.set(runId, { seq: 1, chunks: 0, isRemoving: false, isRemoved: false });
    if (run === undefined) continue;
    if (what === 'changed') run.seq = Number(value);
    if (what === 'output') run.chunks = Number(value);
    if (what === 'secret') run.secret = value;
    if (what === 'removing') run.isRemoving = true;
    if (what === 'removed') run.isRemoved = true;
  }
}

async function verify(dataDir: string, { runs }: Acknowledged): Promise<void> {
  const { connection } = await openStoreFile(dataDir, false);
  try {
    assert.deepEqual(READS.check(connection), []);
    for (const [runId, told] of runs) {
      const record = READS.getRun(connection, { runId });
      if (told.isRemoved) assert.equal(record, undefined, 'a removed run is back');
      if (told.isRemoving) continue;
      assert.ok(record !== undefined, 'an acknowledged run is lost');
      const { bytes } = READS.readOutput(connection, { runId, stream: 'stdout', offset: 0, limit: 1e6 });
      const kept = Array.from({ length: 4 }, (_, index) => chunkText(runId, index)).join('');
      assert.ok(kept.startsWith(Buffer.from(bytes).toString('utf8')), 'output is out of order');
      assert.ok(bytes.length >= chunkText(runId, 0).length * told.chunks, 'acknowledged output is lost');
      const events = READS.listEvents(connection, { runId, after: 0, limit: 99 });
      assert.ok(events.length >= told.seq, 'an acknowledged event is lost');
      if (told.secret !== undefined) assert.equal(READS.readSecret(connection, { id: told.secret })?.value, runId);
    }
    // Each change writes the record, one event and one observation: there must never be one without the others.
    for (const record of READS.listRuns(connection, { limit: 1e6 }).records) {
      const { runId, state } = JSON.parse(record) as Run;
      const events = READS.listEvents(connection, { runId, after: 0, limit: 99 });
      const seen = READS.findingsByFingerprint(connection, { runId, limit: 99, after: undefined });
      assert.equal(seen.length, events.length - 1, 'half of a change is there');
      assert.equal(state === 'succeeded', events.length === 5, 'half of a change is there');
    }
  } finally {
    connection.close();
  }
}

test('whenever a writing process is killed, everything it acknowledged is there and nothing is half there', async (t) => {
  const { seed } = fuzzPlan(process.env);
  const next = chance(seed);
  let acknowledged = 0;
  let made = 0;
  for (let kills = 0; kills < KILLS; ) {
    const dataDir = newDirectory();
    const all: Acknowledged = { runs: new Map() };
    for (let life = 0; life < LIVES; life++, kills++) {
      note(all, await liveAndDie(dataDir, next));
      if (!existsSync(join(dataDir, 'sallyport.db'))) continue;
      made++;
      await verify(dataDir, all);
    }
    acknowledged += all.runs.size;
  }
  t.diagnostic(`${KILLS} kills, ${made} with a file, ${acknowledged} acknowledged runs, seed ${seed}`);
  assert.ok(acknowledged > KILLS, 'too little was written to mean anything');
});
