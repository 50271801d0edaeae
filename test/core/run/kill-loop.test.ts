/*
 * The store and the engine against the end of their process at any point: kill -9 in a loop while runs go on. Each run
 * that was acknowledged is there, none was started twice, and what was interrupted is `lost` with its partial output.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import type { Run } from '../../../schemas/run-record.ts';
import type { Store } from '../../../src/core/store/types.ts';
import { isFinal } from '../../../src/core/run/states.ts';
import { openStore } from '../../../src/store/store.ts';
import { engineFixture } from '../../fixtures/engine.ts';

const KILLS = process.env['SALLYPORT_TEST_NIGHTLY'] === '1' ? 1000 : 200;
const LIFE = join(import.meta.dirname, 'run-life.ts');
/** A life is killed so many lines after it said `ready`, at most, and then so many milliseconds later, at most. */
const MOST_LINES = 12;
const MOST_MS = 20;

interface Acknowledged {
  readonly created: Set<string>;
  readonly ended: Map<string, string>;
}

interface Place {
  readonly dataDir: string;
  readonly startsFile: string;
  readonly cache: string;
}

function newPlace(t: TestContext): Place {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const startsFile = join(dataDir, 'starts');
  writeFileSync(startsFile, '');
  return { dataDir, startsFile, cache: join(dataDir, 'compiled') };
}

/** The compiled modules are kept: most of a short life would be spent on making them again. */
function startLife({ dataDir, startsFile, cache }: Place, ...way: string[]): ChildProcess {
  const env = { ...process.env, NODE_COMPILE_CACHE: cache };
  return spawn(process.execPath, [LIFE, dataDir, startsFile, ...way], { stdio: ['ignore', 'pipe', 'inherit'], env });
}

/** One life: what it acknowledged until it was killed. */
async function liveAndDie(place: Place, seen: Acknowledged): Promise<void> {
  const child = startLife(place);
  const closed = once(child, 'close');
  assert.ok(child.stdout);
  let left = Math.floor(Math.random() * MOST_LINES);
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, runId = '', state = ''] = line.split(' ');
    if (left === 0) setTimeout(() => child.kill('SIGKILL'), Math.random() * MOST_MS);
    left -= 1;
    if (word === 'created') seen.created.add(runId);
    if (word === 'ended') seen.ended.set(runId, state);
  }
  const [, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', 'it ended because it was killed');
}

async function allRuns(store: Store): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  for (let after: string | undefined; ; ) {
    const page = await store.runs.list({ limit: 200, ...(after === undefined ? {} : { after }) });
    for (const run of page.items) runs.set(run.runId, run);
    if (page.next === undefined) return runs;
    after = page.next;
  }
}

test(`${KILLS} kills at random points lose nothing that was acknowledged and start nothing twice`, async (t) => {
  const place = newPlace(t);
  const { dataDir, startsFile } = place;
  const seen: Acknowledged = { created: new Set(), ended: new Map() };
  for (let kill = 0; kill < KILLS; kill += 1) await liveAndDie(place, seen);

  const store = await openStore(dataDir);
  t.after(() => store.close());
  const { engine } = engineFixture({ realStore: store });
  await engine.recover();
  await engine.runs.idle();
  const runs = await allRuns(store);
  assert.deepEqual(
    [...seen.created].filter((runId) => !runs.has(runId)),
    [],
    'every acknowledged run is there',
  );
  for (const [runId, state] of seen.ended) assert.equal(runs.get(runId)?.state, state, runId);
  assert.deepEqual(
    [...runs.values()].filter(({ state }) => !isFinal(state)),
    [],
    'nothing is left unfinished after recovery',
  );
  const starts = readFileSync(startsFile, 'utf8').trim().split('\n');
  assert.equal(new Set(starts).size, starts.length, 'none was started twice');
  for (const run of runs.values()) {
    const events = await store.runs.events(run.runId, 0, 1000);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_event, at) => at + 1),
    );
    assert.equal(events.findLast(({ type }) => type === 'state')?.data['state'], run.state);
  }
  assert.deepEqual(await store.check(), []);
  const lost = [...runs.values()].filter(({ state }) => state === 'lost').length;
  t.diagnostic(`${runs.size} runs over ${KILLS + 1} lives, ${seen.ended.size} ends acknowledged, ${lost} lost`);
  assert.ok(lost > 0 && seen.ended.size > 0, 'kills met running runs and ended ones');
});

test('a run that was interrupted keeps the output that was stored, and says that it is lost', async (t) => {
  const place = newPlace(t);
  const child = startLife(place, 'hold');
  const closed = once(child, 'close');
  assert.ok(child.stdout);
  let held: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, runId] = line.split(' ');
    if (word !== 'held') continue;
    held = runId;
    child.kill('SIGKILL');
  }
  await closed;
  assert.ok(held !== undefined);
  const store = await openStore(place.dataDir);
  t.after(() => store.close());
  await engineFixture({ realStore: store }).engine.recover();
  const run = await store.runs.get(held);
  assert.deepEqual([run?.state, run?.error?.code], ['lost', 'ERR_RUN_LOST']);
  const { bytes, total } = await store.output.read(held, 'stdout', { offset: 0, limit: 24 });
  assert.equal(bytes.toString(), 'partial output of a run\n');
  assert.equal(total, 70_000);
});
