import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FindingDraft } from '../../src/core/findings/types.ts';
import type { ToolEvent } from '../../src/core/tool/definition.ts';
import type { SqlmapAction } from '../../src/tools/sqlmap/input.ts';
import { readLog } from '../../src/tools/sqlmap/log.ts';
import { parseSqlmap } from '../../src/tools/sqlmap/parser.ts';
import { SqlmapResultSchema } from '../../src/tools/sqlmap/result.ts';
import { feed, golden } from './golden.ts';
import { assertFits } from './loopback-run.ts';

const draftOf = (place: string): FindingDraft => ({
  kind: 'injection',
  target: 'http://10.77.0.10/',
  key: `${place} id`,
  title: 'injectable',
  severity: 'high',
  confidence: 'tentative',
});

function read(sample: string, action: SqlmapAction = 'detect', log?: string) {
  const events: ToolEvent[] = [];
  const files =
    log === undefined ? new Map() : new Map([['o/10.77.0.10/log', golden(`sqlmap/${log}.files/o/10.77.0.10/log`)]]);
  const outcome = feed(parseSqlmap({ action, param: 'id', draftOf, emit: (event) => void events.push(event) }), {
    stdout: golden(`sqlmap/${sample}.stdout`),
    end: { files },
  });
  assertFits(SqlmapResultSchema, outcome.result);
  return { ...outcome, events };
}

suite('sqlmap output', () => {
  test('an injectable parameter comes with place, techniques and what the action asked for', () => {
    const { result, complete, failure, events } = read('banner', 'banner', 'banner');
    assert.equal(failure, undefined);
    assert.equal(complete, true);
    assert.equal(result.injectable, true);
    assert.deepEqual([result.parameter, result.place, result.dbms, result.banner], ['id', 'GET', 'SQLite', '3.40.1']);
    assert.deepEqual(
      result.techniques.map(({ type }) => type),
      ['boolean-based blind', 'UNION query'],
    );
    assert.ok(events.some(({ kind }) => kind === 'finding'));
  });

  test('tables are listed and the fences around them are not', () => {
    const { result, complete } = read('tables', 'tables', 'tables');
    assert.deepEqual(result.tables, [
      { database: '<current>', name: 'items' },
      { database: '<current>', name: 'users' },
    ]);
    assert.equal(complete, true);
  });

  test('columns of one table where there are two are an incomplete answer', () => {
    const { result, complete } = read('columns', 'columns', 'columns');
    assert.deepEqual(result.columns[0], { database: '<current>', table: 'None', name: 'login', type: 'text' });
    assert.equal(complete, false);
  });

  test('what the database system does not have is said, not missing', () => {
    const { result, complete } = read('user', 'currentUser', 'user');
    assert.equal(result.unsupported, true);
    assert.equal(complete, true);
  });

  test('D39: "do not appear to be injectable" is a negative, and so is every word of it', () => {
    const { result, complete, failure } = read('negative');
    assert.equal(result.injectable, false);
    assert.deepEqual(result.techniques, []);
    assert.equal(failure, undefined);
    assert.equal(complete, true);
  });

  for (const [sample, pattern] of [
    ['unreachable', /could not be reached/],
    ['forbidden', /HTTP 403/],
    ['missing', /HTTP 404/],
    ['lost', /connection/],
  ] as const) {
    test(`a page that could not be tested is a failure, not a negative (${sample})`, () => {
      const { result, failure, complete } = read(sample);
      assert.match(failure ?? '', pattern);
      assert.equal(result.injectable, null);
      assert.equal(complete, false);
    });
  }

  test('a negative behind a filter or an overload, or one that was not said to its end, is not known', () => {
    const negative = golden('sqlmap/negative.stdout').toString();
    const overload =
      '[13:42:32] [WARNING] HTTP error codes detected during run:\n503 (Service Unavailable) - 20 times\n';
    for (const [stdout, end] of [
      [golden('sqlmap/filtered.stdout').toString(), {}],
      [negative.replace('\n[*] ending', `\n${overload}[*] ending`), {}],
      [negative.replace('[13:42:21] [WARNING] GET', '[13:42:21] [CRITICAL] broken page\n[13:42:21] [WARNING] GET'), {}],
      [negative.slice(0, negative.indexOf('[*] ending')), {}],
      [negative, { stdoutTruncated: true }],
      [negative, { ending: 'timed_out', exitCode: null }],
    ] as const) {
      const parser = parseSqlmap({ action: 'detect', param: 'id', draftOf, emit: () => undefined });
      const outcome = feed(parser, { stdout: Buffer.from(stdout), end });
      assert.deepEqual([outcome.result.injectable, outcome.complete, outcome.trips], [null, false, undefined]);
      assert.equal(outcome.failure === undefined, 'ending' in end);
    }
  });

  test('only an end before the first line counts against the tool: a page can cause every other', () => {
    const end = { exitCode: 2 };
    const ended = (stdout: string) =>
      feed(parseSqlmap({ action: 'detect', param: 'id', draftOf, emit: () => undefined }), {
        stdout: Buffer.from(stdout),
        end,
      });
    assert.equal(ended('[*] starting\n').trips, undefined);
    assert.equal(ended('').trips, true);
  });

  test('D39: lines about the start and the end of the program are not databases', () => {
    const text = [
      '[*] starting @ 10:00:00 /2026-01-01/',
      'available databases [2]:',
      '[*] information_schema',
      '[*] shop',
      '',
      '[*] ending @ 10:00:01 /2026-01-01/',
    ].join('\n');
    assert.deepEqual(readLog(text).facts.databases, ['information_schema', 'shop']);
  });

  test('facts of MySQL are read from its log', () => {
    const { facts } = readLog(
      [
        "current user: 'root@localhost'",
        "current database: 'shop'",
        'banner:',
        '---',
        'line one',
        'line two',
        '---',
        'Database: shop',
        'Table: users',
        '[2 columns]',
        '+--------+--------------+',
        '| Column | Type         |',
        '+--------+--------------+',
        '| login  | varchar(100) |',
        '| pw     | varchar(100) |',
        '+--------+--------------+',
      ].join('\n'),
    );
    assert.equal(facts.currentUser, 'root@localhost');
    assert.equal(facts.currentDb, 'shop');
    assert.equal(facts.banner, 'line one\nline two');
    assert.deepEqual(facts.columns, [
      { database: 'shop', table: 'users', name: 'login', type: 'varchar(100)' },
      { database: 'shop', table: 'users', name: 'pw', type: 'varchar(100)' },
    ]);
  });
});
