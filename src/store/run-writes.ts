import type { Run } from '../../schemas/run-record.ts';
import { SallyportError } from '../core/errors.ts';
import { neverRan } from '../core/run/states.ts';
import type { Creation, CreationExtras, IdempotencyKey, RunChange, StoredEvent } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { forgetObservations, observe, withdraw } from './finding-writes.ts';
import { FIRST_FINAL, STATE } from './numbers.ts';
import { dropOutput } from './output-writes.ts';
import { packText } from './pack.ts';
import { usePlan } from './plan-writes.ts';

/** What a creation takes. */
export interface NewRun extends CreationExtras {
  readonly run: Run;
}

interface RunRow {
  readonly num: number;
  readonly owner: number;
  readonly tool: number;
  readonly state: number;
  readonly last_seq: number;
  readonly record: string;
}

function createRun(connection: Connection, { run, job, event, idempotency, approval, planId }: NewRun): Creation {
  const owner = numberOf(connection, 'owners', run.owner);
  if (idempotency !== undefined) {
    const known = knownCreation(connection, owner, idempotency);
    if (known !== undefined) return known;
  }
  // Before anything is written: two runs of one plan at once would both have found it unused when they were checked.
  const isFree = planId === undefined || usePlan(connection, { planId, owner: run.owner, runId: run.runId });
  if (!isFree) return { kind: 'plan_used' };
  const tool = numberOf(connection, 'tools', run.tool);
  const created = timeOf(run.createdAt);
  const { num } = connection.run(
    'INSERT INTO runs (id, owner, tool, state, created, last_seq, record, job) VALUES (?, ?, ?, ?, ?, 0, ?, ?)',
    run.runId,
    owner,
    tool,
    STATE[run.state],
    created,
    JSON.stringify(run),
    job === undefined ? null : JSON.stringify(job),
  );
  addTargets(connection, { num, owner, tool }, run);
  addEvents(connection, num, { last: 0, events: [event] });
  if (idempotency !== undefined) {
    connection.run('INSERT INTO idempotency VALUES (?, ?, ?, ?)', owner, idempotency.key, idempotency.digest, num);
  }
  if (approval !== undefined) {
    const sql = 'INSERT INTO approvals (run, request, expires) VALUES (?, ?, ?)';
    connection.run(sql, num, JSON.stringify(approval), approval.expiresAt);
  }
  return { kind: 'created' };
}

function knownCreation(connection: Connection, owner: number, { key, digest }: IdempotencyKey): Creation | undefined {
  const sql = `SELECT runs.id, digest, state, record FROM idempotency JOIN runs ON runs.num = idempotency.run
    WHERE idempotency.owner = ? AND key = ?`;
  const known = connection.get<{ id: string; digest: string; state: number; record: string }>(sql, owner, key);
  if (known === undefined) return undefined;
  if (neverRan(JSON.parse(known.record) as Run)) {
    connection.run('DELETE FROM idempotency WHERE owner = ? AND key = ?', owner, key);
    return undefined;
  }
  return { kind: known.digest === digest ? 'known' : 'conflict', runId: known.id };
}

function changeRun(connection: Connection, { change, now }: { change: RunChange; now: number }): boolean {
  const row = connection.get<RunRow>(
    'SELECT num, owner, tool, state, last_seq, record FROM runs WHERE id = ?',
    change.runId,
  );
  if (row === undefined || row.state !== STATE[change.from]) return false;
  const before = JSON.parse(row.record) as Run;
  const run: Run = { ...before, ...change.patch };
  requireLawful(before, run);
  connection.run('UPDATE runs SET state = ?, record = ? WHERE num = ?', STATE[run.state], JSON.stringify(run), row.num);
  changeJob(connection, row.num, { job: change.job, run });
  if (change.patch.targets !== undefined) {
    connection.run('DELETE FROM run_targets WHERE run = ?', row.num);
    addTargets(connection, row, run);
  } else if (STATE[run.state] !== row.state) {
    connection.run('UPDATE run_targets SET state = ? WHERE run = ?', STATE[run.state], row.num);
  }
  addEvents(connection, row.num, { last: row.last_seq, events: change.events });
  keepAnswer(connection, row.num, change);
  observe(connection, {
    run: { num: row.num, owner: row.owner, tool: row.tool },
    seen: change.events.at(-1)?.at ?? now,
    observations: change.observations ?? [],
  });
  withdraw(connection, row.num, change.withdrawn ?? []);
  if (STATE[run.state] >= FIRST_FINAL && row.state < FIRST_FINAL) {
    connection.run(
      'UPDATE run_output SET ended = ? WHERE run = ?',
      run.endedAt === null ? now : timeOf(run.endedAt),
      row.num,
    );
  }
  return true;
}

/** Whose run it is and which one never changes, and a final state never changes either. */
function requireLawful(before: Run, after: Run): void {
  const isSame = (['runId', 'owner', 'tool', 'createdAt'] as const).every((name) => before[name] === after[name]);
  const isFinal = STATE[before.state] >= FIRST_FINAL;
  if (!isSame || (isFinal && before.state !== after.state)) {
    throw new SallyportError('ERR_INTERNAL', 'A run’s identity and its final state cannot be changed.');
  }
}

/** The input in a job may hold a secret of the caller: it goes as soon as the run has left the queue, asked or not. */
function changeJob(connection: Connection, num: number, { job, run }: { job: RunChange['job']; run: Run }): void {
  if (STATE[run.state] > STATE.queued || job === null) {
    connection.run('UPDATE runs SET job = NULL WHERE num = ? AND job IS NOT NULL', num);
  } else if (job !== undefined) {
    connection.run('UPDATE runs SET job = ? WHERE num = ?', JSON.stringify(job), num);
  }
}

function keepAnswer(connection: Connection, num: number, { result, coverage }: RunChange): void {
  if (result === undefined && coverage === undefined) return;
  const sql = `INSERT INTO run_results VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
    result = coalesce(excluded.result, result), coverage = coalesce(excluded.coverage, coverage)`;
  const packed = [result, coverage].map((part) => (part === undefined ? null : packText(part)));
  connection.run(sql, num, packed[0] ?? null, packed[1] ?? null);
}

function addEvents(
  connection: Connection,
  num: number,
  { last, events }: { last: number; events: readonly StoredEvent[] },
): void {
  let expected = last;
  for (const { seq, at, type, data } of events) {
    expected += 1;
    if (seq !== expected)
      throw new SallyportError('ERR_INTERNAL', `Event ${seq} of a run came instead of ${expected}.`);
    connection.run('INSERT INTO events VALUES (?, ?, ?, ?, ?)', num, seq, at, type, JSON.stringify(data));
  }
  if (expected !== last) connection.run('UPDATE runs SET last_seq = ? WHERE num = ?', expected, num);
}

function addTargets(connection: Connection, row: Pick<RunRow, 'num' | 'owner' | 'tool'>, run: Run): void {
  const { num, owner, tool } = row;
  const created = timeOf(run.createdAt);
  for (const target of new Set(run.targets.flatMap(({ canonical, addresses }) => [canonical, ...addresses]))) {
    connection.run(
      'INSERT INTO run_targets VALUES (?, ?, ?, ?, ?, ?)',
      owner,
      target,
      tool,
      STATE[run.state],
      created,
      num,
    );
  }
}

/** Observations that one step of a removal takes away, so that other writes do not wait for all of them. */
const STEP_OBSERVATIONS = 500;

/** One step of a removal; the last one takes the run itself. */
function removeRun(connection: Connection, { runId }: { runId: string }): 'removed' | 'more' | 'kept' {
  const row = connection.get<{ num: number; state: number }>('SELECT num, state FROM runs WHERE id = ?', runId);
  if (row === undefined || row.state < FIRST_FINAL) return 'kept';
  if (!forgetObservations(connection, row.num, STEP_OBSERVATIONS)) return 'more';
  dropOutput(connection, row.num);
  connection.run('DELETE FROM secrets WHERE run_id = ?', runId);
  connection.run('DELETE FROM runs WHERE num = ?', row.num);
  return 'removed';
}

/** The number of an owner or a tool, given at its first run. */
function numberOf(connection: Connection, table: 'owners' | 'tools', name: string): number {
  const known = connection.get<{ num: number }>(`SELECT num FROM ${table} WHERE name = ?`, name);
  return known?.num ?? connection.run(`INSERT INTO ${table} (name) VALUES (?)`, name).num;
}

function timeOf(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new SallyportError('ERR_INTERNAL', 'A run carries a time that is none.');
  return time;
}

/** Changes of runs. */
export const RUN_WRITES = { createRun, changeRun, removeRun };
