import type { SQLInputValue } from 'node:sqlite';
import type { Connection } from './connection.ts';
import { readTimePosition, type TimePosition, writeTimePosition } from './position.ts';

/** A table that is listed newest first. */
export interface ListedTable {
  readonly table: string;
  readonly key: string;
  readonly time: string;
}

/** One range of one index, in which rows lie by time: equalities on its first columns, and what else must hold. */
export interface Range {
  readonly index: string;
  readonly equal: readonly (readonly [column: string, value: SQLInputValue])[];
  /** Conditions that the index does not answer. */
  readonly filters: readonly (readonly [condition: string, value: SQLInputValue])[];
}

/** What a page is cut from. */
export interface MergedPage {
  readonly ranges: readonly Range[];
  /** Times: from, inclusive, and until, exclusive. */
  readonly since: number | undefined;
  readonly until?: number | undefined;
  readonly limit: number;
  readonly after: string | undefined;
}

/**
 * One page, newest first, of rows that lie in any of the ranges. Each range is read from its index in order, no further
 * than a page and no further back than what the ranges before it filled a page with, so that the cost grows with the
 * number of ranges and not with the number of rows.
 */
export function mergedPage(
  connection: Connection,
  { table, key, time }: ListedTable,
  page: MergedPage,
): { readonly nums: readonly number[]; readonly next: string | undefined } {
  let rows: readonly TimePosition[] = [];
  const after = readTimePosition(page.after);
  // One upper bound: with two of them the planner may begin at the looser one and read every page before this one.
  const until = Math.min(page.until ?? Number.MAX_SAFE_INTEGER, after.time + 1);
  for (const { index, equal, filters } of page.ranges) {
    // INDEXED BY: without statistics the planner may take the wrong one, and a page would read a million rows.
    const sql = `SELECT ${key} AS num, ${time} AS time FROM ${table} INDEXED BY ${index}
      WHERE ${equal.map(([column]) => `${column} = ? AND`).join(' ')} ${time} >= ? AND ${time} < ?
      AND (${time}, ${key}) < (?, ?) ${filters.map(([condition]) => `AND ${condition}`).join(' ')}
      ORDER BY ${time} DESC, ${key} DESC LIMIT ?`;
    const since = rows[page.limit]?.time ?? page.since ?? Number.MIN_SAFE_INTEGER;
    const bounds = [since, until, after.time, after.num];
    const values = [
      ...equal.map(([, value]) => value),
      ...bounds,
      ...filters.map(([, value]) => value),
      page.limit + 1,
    ];
    rows = newestOf(rows, connection.all<TimePosition>(sql, ...values), page.limit + 1);
  }
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    nums: shown.map(({ num }) => num),
    next: rows.length > page.limit && last !== undefined ? writeTimePosition(last) : undefined,
  };
}

/** A row may lie in two ranges. */
function newestOf(
  rows: readonly TimePosition[],
  more: readonly TimePosition[],
  limit: number,
): readonly TimePosition[] {
  if (more.length === 0) return rows;
  const found = new Map([...rows, ...more].map((row) => [row.num, row]));
  return [...found.values()].sort((a, b) => b.time - a.time || b.num - a.num).slice(0, limit);
}

/** A range of a table, to be cut by the next columns of its index, which are whole numbers above 0. */
export interface GroupedRange extends Range {
  readonly table: string;
  readonly columns: readonly string[];
}

/** The range cut into one for each combination of values that is there. Each costs a look into the index or two, however many rows have it. */
export function groupsOf(
  connection: Connection,
  range: GroupedRange,
): readonly { readonly values: readonly number[]; readonly range: Range }[] {
  const { index, equal, filters, columns } = range;
  const groups: { values: readonly number[]; range: Range }[] = [];
  let values = nextGroup(connection, range, [0]);
  while (values !== undefined) {
    const group = columns.map((column, at) => [column, values?.[at] ?? 0] as const);
    groups.push({ values, range: { index, equal: [...equal, ...group], filters } });
    let depth = columns.length;
    let next: readonly number[] | undefined;
    while (next === undefined && depth > 0) {
      next = nextGroup(connection, range, values.slice(0, depth));
      depth -= 1;
    }
    values = next;
  }
  return groups;
}

/**
 * The first combination whose last given value is greater. Not `(a, b) > (?, ?)`: for that SQLite begins at the first
 * row that is equal and reads all of them.
 */
function nextGroup(
  connection: Connection,
  { table, index, equal, columns }: GroupedRange,
  above: readonly number[],
): readonly number[] | undefined {
  const names = [...equal.map(([column]) => column), ...columns.slice(0, above.length - 1)];
  const sql = `SELECT ${columns.join(', ')} FROM ${table} INDEXED BY ${index}
    WHERE ${names.map((column) => `${column} = ? AND`).join(' ')} ${columns[above.length - 1]} > ?
    ORDER BY ${columns.slice(above.length - 1).join(', ')} LIMIT 1`;
  const row = connection.get(sql, ...equal.map(([, value]) => value), ...above);
  return row === undefined ? undefined : columns.map((column) => Number(row[column]));
}

/** Numbers of the owners whose rows are asked for: one, or all. */
export function ownersOf(connection: Connection, name: string | undefined): readonly number[] {
  const rows =
    name === undefined
      ? connection.all<{ num: number }>('SELECT num FROM owners')
      : connection.all<{ num: number }>('SELECT num FROM owners WHERE name = ?', name);
  return rows.map(({ num }) => num);
}

/** The number of a tool; undefined when no run ever had it. */
export function toolNumber(connection: Connection, name: string): number | undefined {
  return connection.get<{ num: number }>('SELECT num FROM tools WHERE name = ?', name)?.num;
}
