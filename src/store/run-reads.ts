import type { RunEventType } from '../../schemas/run-record.ts';
import { RUN_STATES } from '../../schemas/run-record.ts';
import type { RunQuery, StoredEvent } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { groupsOf, mergedPage, ownersOf, type Range, toolNumber } from './merged-list.ts';
import { STATE } from './numbers.ts';
import { unpackText } from './pack.ts';

/** Records are JSON text here: whoever asked parses them. */
export interface RecordPage {
  readonly records: readonly string[];
  readonly next: string | undefined;
}

function getRun(connection: Connection, { runId }: { runId: string }): string | undefined {
  return connection.get<{ record: string }>('SELECT record FROM runs WHERE id = ?', runId)?.record;
}

function runByKey(
  connection: Connection,
  { owner, key }: { owner: string; key: string },
): { readonly runId: string; readonly digest: string } | undefined {
  const sql = `SELECT runs.id AS runId, digest FROM idempotency JOIN runs ON runs.num = idempotency.run
    WHERE idempotency.owner = (SELECT num FROM owners WHERE name = ?) AND key = ?`;
  return connection.get(sql, owner, key);
}

function getAnswer(
  connection: Connection,
  { runId, part }: { runId: string; part: 'result' | 'coverage' },
): string | undefined {
  const sql = `SELECT ${part === 'result' ? 'result' : 'coverage'} AS data FROM run_results
    JOIN runs ON runs.num = run_results.run WHERE runs.id = ?`;
  const data = connection.get<{ data: Uint8Array | null }>(sql, runId)?.data;
  return data === undefined || data === null ? undefined : unpackText(data);
}

function listRuns(connection: Connection, query: RunQuery): RecordPage {
  const { since, until, limit, after } = query;
  const ranges = rangesOf(connection, query);
  const page = { ranges, since, until, limit, after };
  const table =
    query.target === undefined
      ? { table: 'runs', key: 'num', time: 'created' }
      : { table: 'run_targets', key: 'run', time: 'created' };
  const { nums, next } = mergedPage(connection, table, page);
  const records = nums.map((num) => connection.get<{ record: string }>('SELECT record FROM runs WHERE num = ?', num));
  return { records: records.flatMap((row) => (row === undefined ? [] : [row.record])), next };
}

function rangesOf(connection: Connection, query: RunQuery): readonly Range[] {
  const owners = ownersOf(connection, query.owner);
  const tool = query.tool === undefined ? undefined : toolNumber(connection, query.tool);
  if (query.tool !== undefined && tool === undefined) return [];
  const states = [...new Set(query.states ?? RUN_STATES)].map((state) => STATE[state]);
  if (query.target !== undefined) return targetRanges(connection, query.target, { owners, tool, states });
  return owners.flatMap((owner): Range[] => {
    if (tool !== undefined) {
      return states.map((state) =>
        rangeOf('runs_by_tool', [
          ['owner', owner],
          ['tool', tool],
          ['state', state],
        ]),
      );
    }
    if (query.states === undefined) return [rangeOf('runs_by_owner', [['owner', owner]])];
    return states.map((state) =>
      rangeOf('runs_by_state', [
        ['owner', owner],
        ['state', state],
      ]),
    );
  });
}

function rangeOf(index: string, equal: Range['equal']): Range {
  return { index, equal, filters: [] };
}

/** Runs at one target, tool by tool and state by state: a busy target has as many runs as its owner. */
function targetRanges(
  connection: Connection,
  target: string,
  { owners, tool, states }: { owners: readonly number[]; tool: number | undefined; states: readonly number[] },
): readonly Range[] {
  const index = 'sqlite_autoindex_run_targets_1';
  const of = { table: 'run_targets', columns: ['tool', 'state'], index, filters: [] };
  return owners.flatMap((owner) => {
    const equal: Range['equal'] = [
      ['owner', owner],
      ['target', target],
    ];
    return groupsOf(connection, { ...of, equal }).flatMap(({ values: [its, state = 0], range }) =>
      (tool === undefined || its === tool) && states.includes(state) ? [range] : [],
    );
  });
}

function unfinishedRuns(connection: Connection): readonly { record: string; job: string | null; lastSeq: number }[] {
  return connection.all(`SELECT record, job, last_seq AS lastSeq FROM runs INDEXED BY runs_open WHERE state < 4
    ORDER BY created, num`);
}

function listEvents(
  connection: Connection,
  { runId, after, limit }: { runId: string; after: number; limit: number },
): readonly StoredEvent[] {
  const sql = `SELECT seq, at, type, data FROM events WHERE run = (SELECT num FROM runs WHERE id = ?) AND seq > ?
    ORDER BY seq LIMIT ?`;
  const rows = connection.all<{ seq: number; at: number; type: RunEventType; data: string }>(sql, runId, after, limit);
  return rows.map((row) => ({ ...row, data: JSON.parse(row.data) as StoredEvent['data'] }));
}

function endedBefore(connection: Connection, { before, limit }: { before: number; limit: number }): readonly string[] {
  const sql = `SELECT id FROM runs INDEXED BY runs_ended WHERE state >= 4 AND created < ? ORDER BY created, num LIMIT ?`;
  return connection.all<{ id: string }>(sql, before, limit).map(({ id }) => id);
}

/** Questions about runs. */
export const RUN_READS = { getRun, runByKey, getAnswer, listRuns, unfinishedRuns, listEvents, endedBefore };
