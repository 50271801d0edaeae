import assert from 'node:assert/strict';
import type { SQLInputValue } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import type { RunState } from '../../schemas/run-record.ts';
import type { FindingQuery, RunQuery } from '../../src/core/store/types.ts';
import { type Connection, openConnection } from '../../src/store/connection.ts';
import { READS } from '../../src/store/reads.ts';
import { endedRun, newStore, sampleEvent, sampleObservation, sampleRun } from './rig.ts';

const OBSERVATIONS = [
  sampleObservation(1, { port: 443, address: '10.0.0.1' }),
  sampleObservation(2, { port: 443, severity: 'high' }),
];

const RUN_QUERIES: readonly Omit<RunQuery, 'limit'>[] = [
  {},
  { owner: 'key_a' },
  { owner: 'key_a', since: 1, until: 5000, after: '4000.9' },
  { tool: 'nmap' },
  { states: ['failed', 'succeeded'] },
  { owner: 'key_a', tool: 'nmap', states: ['lost'] },
  { target: 'a.lab' },
  { owner: 'key_a', target: 'a.lab', tool: 'nmap', states: ['succeeded'], after: '4000.9' },
];
const FINDING_QUERIES: readonly Omit<FindingQuery, 'limit'>[] = [
  {},
  { owner: 'key_a', since: 1, after: '4000.9' },
  { severity: 'low' },
  { kind: 'port' },
  { tool: 'nmap' },
  { owner: 'key_a', tool: 'nmap', kind: 'port', severity: 'info' },
  { owner: 'key_a', target: 'a.lab', kind: 'port' },
  { owner: 'key_a', target: '10.0.0.1', port: 443 },
  { owner: 'key_a', port: 443, severity: 'high', after: '4000.9' },
];

/** A connection that tells of every question before it is asked. */
function told(real: Connection, tell: (sql: string, values: SQLInputValue[]) => void): Connection {
  const get: Connection['get'] = (sql: string, ...values: SQLInputValue[]) => {
    tell(sql, values);
    return real.get(sql, ...values) as never;
  };
  const all: Connection['all'] = (sql: string, ...values: SQLInputValue[]) => {
    tell(sql, values);
    return real.all(sql, ...values) as never;
  };
  return { ...real, isTransaction: false, get, all };
}

/** A connection to a store with one run that keeps how SQLite answers what it is asked. */
async function watched(t: TestContext): Promise<{ connection: Connection; plans: string[]; runId: string }> {
  const { store, path } = await newStore(t);
  const runId = await endedRun(store, { observations: OBSERVATIONS });
  const real = openConnection(path, { mode: 'read' });
  t.after(() => real.close());
  const plans: string[] = [];
  const connection = told(real, (sql, values) => {
    const steps = real.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    plans.push(...steps.map(({ detail }) => detail));
  });
  return { connection, plans, runId };
}

/** Owners are few, and asked for all of them there is nothing to look up. */
function assertLookedUp(plans: readonly string[]): void {
  const bad = plans.filter((plan) => /^SCAN (?!owners$|owners USING COVERING INDEX)|TEMP B-TREE|AUTOMATIC/.test(plan));
  assert.deepEqual(bad, []);
  assert.ok(plans.some((plan) => plan.startsWith('SEARCH')));
}

for (const query of RUN_QUERIES) {
  test(`a list of runs reads no more of an index than it shows: ${JSON.stringify(query)}`, async (t) => {
    const { connection, plans } = await watched(t);
    READS.listRuns(connection, { ...query, limit: 10 });
    assertLookedUp(plans);
    assertNoVector(plans);
  });
}

for (const query of FINDING_QUERIES) {
  test(`a list of findings reads no more of an index than it shows: ${JSON.stringify(query)}`, async (t) => {
    const { connection, plans } = await watched(t);
    READS.listFindings(connection, { ...query, limit: 10 });
    assertLookedUp(plans);
    assertNoVector(plans);
  });
}

/** SQLite begins `(a, b) > (?, ?)` at the first row that is equal, however many of them there are. */
function assertNoVector(plans: readonly string[]): void {
  assert.deepEqual(
    plans.filter((plan) => /\(\w+,[\w,]+\)[<>]/.test(plan)),
    [],
  );
}

test('every other question about one run is looked up in an index', async (t) => {
  const { connection, plans, runId } = await watched(t);
  READS.getRun(connection, { runId });
  READS.runByKey(connection, { owner: 'key_a', key: 'k' });
  READS.getAnswer(connection, { runId, part: 'result' });
  READS.listEvents(connection, { runId, after: 0, limit: 10 });
  assert.equal(READS.findingsOfRun(connection, { runId, limit: 1, after: undefined }).items.length, 1);
  assert.equal(READS.findingsByFingerprint(connection, { runId, limit: 10, after: undefined }).length, 2);
  assertLookedUp(plans);
});

test('the number of questions does not grow with the number of runs and findings', async (t) => {
  const { store, path } = await newStore(t);
  const real = openConnection(path, { mode: 'read' });
  t.after(() => real.close());
  const asked = (): number => {
    let count = 0;
    const connection = told(real, () => (count += 1));
    READS.listRuns(connection, { target: 'a.lab', states: ['queued'], limit: 10 });
    READS.listFindings(connection, { target: 'a.lab', kind: 'note', limit: 10 });
    READS.listFindings(connection, { port: 443, tool: 'dig', limit: 10 });
    READS.listFindings(connection, { tool: 'nmap', kind: 'tls', limit: 10 });
    return count;
  };
  await endedRun(store, { observations: OBSERVATIONS });
  const few = asked();
  for (let n = 0; n < 30; n += 1) {
    const observations = OBSERVATIONS.map(({ draft }, at) => sampleObservation(100 + n * 2 + at, draft));
    await endedRun(store, { observations, time: 2000 + n });
  }
  assert.equal(asked(), few);
});

test('a run is found by its target under the state that it is in now, also when its targets change with it', async (t) => {
  const { store } = await newStore(t);
  const run = sampleRun();
  const { runId } = run;
  await store.runs.create(run, { event: sampleEvent(1) });
  const found = async (target: string, state: RunState): Promise<number> =>
    (await store.runs.list({ target, states: [state], limit: 10 })).items.length;
  assert.equal(await found('a.lab', 'queued'), 1);
  await store.runs.change({ runId, from: 'queued', patch: { state: 'running' }, events: [] });
  assert.deepEqual([await found('a.lab', 'queued'), await found('a.lab', 'running')], [0, 1]);
  const targets = [{ role: 'host', given: 'b.lab', canonical: 'b.lab', addresses: [] }];
  await store.runs.change({ runId, from: 'running', patch: { state: 'failed', targets }, events: [] });
  assert.deepEqual([await found('a.lab', 'running'), await found('a.lab', 'failed')], [0, 0]);
  assert.deepEqual([await found('b.lab', 'running'), await found('b.lab', 'failed')], [0, 1]);
});
