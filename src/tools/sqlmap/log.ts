import { cleanText } from '../../core/tool/clean-text.ts';
import type { SqlmapResult } from './result.ts';

const MAX_ROWS = 5000;
const MAX_TEXT = 1024;

/** What sqlmap's log says, and whether something did not fit. */
export interface LogReading {
  readonly facts: Omit<SqlmapResult, 'injectable' | 'unsupported'>;
  readonly isCut: boolean;
}

/** Reads the `log` file of sqlmap 1.7: injection points between two `---`, then facts, lists and drawn tables. */
export function readLog(text: string): LogReading {
  const facts: LogReading['facts'] = { techniques: [], databases: [], tables: [], columns: [] };
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => /^sqlmap (?:identified|resumed) the following injection point/.test(line));
  let at = 0;
  if (start >= 0 && lines[start + 1] === '---') {
    const close = lines.indexOf('---', start + 2);
    at = close < 0 ? lines.length : close + 1;
    readPoints(facts, lines.slice(start + 2, close < 0 ? lines.length : close));
  }
  readFacts(facts, lines.slice(at));
  const isCut = [facts.databases, facts.tables, facts.columns].some((rows) => rows.length > MAX_ROWS);
  facts.databases.splice(MAX_ROWS);
  facts.tables.splice(MAX_ROWS);
  facts.columns.splice(MAX_ROWS);
  return { facts, isCut };
}

const POINT = 'Parameter: ';

function readPoints(facts: LogReading['facts'], lines: readonly string[]): void {
  let type = '';
  let title = '';
  for (const line of lines) {
    // Not one pattern with two gaps: a page that fills the line with " (" would make it go back at every one (CWE-1333).
    const open = line.startsWith(POINT) && line.endsWith(')') ? line.lastIndexOf(' (') : -1;
    if (open >= POINT.length) {
      facts.parameter ??= clean(line.slice(POINT.length, open));
      facts.place ??= clean(line.slice(open + 2, -1));
    }
    type = /^ {4}Type: (.*)$/.exec(line)?.[1] ?? type;
    title = /^ {4}Title: (.*)$/.exec(line)?.[1] ?? title;
    const payload = /^ {4}Payload: (.*)$/.exec(line)?.[1];
    if (payload !== undefined && facts.techniques.length < 100) {
      facts.techniques.push({ type: clean(type), title: clean(title), payload: clean(payload) });
    }
  }
}

const SINGLE: readonly (readonly [RegExp, 'dbms' | 'technology' | 'banner' | 'currentUser' | 'currentDb'])[] = [
  [/^back-end DBMS: (.*)$/, 'dbms'],
  [/^web application technology: (.*)$/, 'technology'],
  [/^banner: '(.*)'$/, 'banner'],
  [/^current user: '(.*)'$/, 'currentUser'],
  [/^current database(?: \([^)]*\))?: '(.*)'$/, 'currentDb'],
];

function readFacts(facts: LogReading['facts'], lines: readonly string[]): void {
  const at = { database: '', table: '', list: 'none' as 'none' | 'databases' | 'tables' | 'columns' };
  lines.forEach((line, index) => {
    if (line === '') {
      at.list = 'none';
      return;
    }
    for (const [pattern, key] of SINGLE) {
      const value = pattern.exec(line)?.[1];
      if (value !== undefined) facts[key] = clean(value);
    }
    // A banner of several lines stands between two fences.
    if (line === 'banner:' && lines[index + 1] === '---') {
      const close = lines.indexOf('---', index + 2);
      facts.banner = clean(lines.slice(index + 2, close < 0 ? undefined : close).join('\n'));
    }
    if (/^available databases \[\d+\]:$/.test(line)) at.list = 'databases';
    const title = /^(?:Database: (.*)|(<current>))$/.exec(line);
    if (title !== null) Object.assign(at, { database: clean(title[1] ?? title[2]), table: '', list: 'none' });
    at.table = /^Table: (.*)$/.exec(line)?.[1] ?? at.table;
    if (/^\[\d+ tables?\]$/.test(line)) at.list = 'tables';
    if (/^\[\d+ columns?\]$/.test(line)) at.list = 'columns';
    readRow(facts, at, line);
  });
}

function readRow(
  facts: LogReading['facts'],
  at: { readonly database: string; readonly table: string; readonly list: string },
  line: string,
): void {
  const item = /^\[\*\] (.*)$/.exec(line)?.[1];
  if (at.list === 'databases' && item !== undefined && facts.databases.length <= MAX_ROWS) {
    facts.databases.push(clean(item));
  }
  const cells = /^\| (.*) \|$/
    .exec(line)?.[1]
    ?.split('|', 2)
    .map((cell) => clean(cell.trim()));
  const [name, type] = cells ?? [];
  if (name === undefined) return;
  if (at.list === 'tables' && facts.tables.length <= MAX_ROWS) facts.tables.push({ database: at.database, name });
  const isHeading = name === 'Column' && (type === undefined || type === 'Type');
  if (at.list === 'columns' && !isHeading && facts.columns.length <= MAX_ROWS) {
    facts.columns.push({
      database: at.database,
      table: clean(at.table),
      name,
      ...(type === undefined ? {} : { type }),
    });
  }
}

function clean(text: string | undefined): string {
  return cleanText(text ?? '', MAX_TEXT);
}
