import { SallyportError } from '../../core/errors.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import { hostHeader, pinnedUrl, urlOfParts } from '../../core/targets/url-text.ts';
import { defineTool } from '../../core/tool/definition.ts';
import { estimateSqlmap, spentBySqlmap } from './estimate.ts';
import { coverageOfSqlmap, draftsOfSqlmap, injectionDraft } from './findings.ts';
import { ACTIONS, checkSqlmap, type SqlmapInput, SqlmapInputSchema } from './input.ts';
import { parseSqlmap } from './parser.ts';
import { SqlmapResultSchema } from './result.ts';

const SCRIPT = '/usr/share/sqlmap/sqlmap.py';
/** Isolated from PYTHON* variables and user packages (each runs code), and nothing is written beside the script. */
const PYTHON = ['-E', '-s', '-B', SCRIPT];

/** SQL injection into one parameter, by sqlmap 1.7. */
export default defineTool({
  name: 'sqlmap',
  title: 'Test one parameter of a web page for SQL injection',
  description:
    'Tests one named parameter of one URL for SQL injection and, when it is injectable, reads what action asks for: banner, ' +
    'current user or database, or the names of databases, tables, columns. It never dumps rows, follows no redirect and no ' +
    'refresh. injectable: false is an answer; null means that it could not be tested. Give the parameter in url.path ' +
    '("/item.php?id=1") or in data. An https URL is taken by address only.',
  binary: 'python3',
  requires: [SCRIPT],
  debianPackage: 'sqlmap',
  risk: 'exploit',
  timeoutMs: 1_800_000,
  maxTimeoutMs: 3_600_000,
  concurrency: 1,
  maxConcurrency: 2,
  limits: { maxAddresses: 1, maxPorts: 1 },
  input: SqlmapInputSchema,
  output: SqlmapResultSchema,
  check: checkSqlmap,
  targets: (input) => [{ role: 'url', kind: 'url', value: urlOfParts(input.url) }],
  estimate: estimateSqlmap,
  spent: spentBySqlmap,
  grammar: {
    prefix: PYTHON,
    // Whole words only: sqlmap takes any unambiguous prefix of its options ("--ev" runs Python).
    options: {
      '-u': 'url',
      '-p': 'name',
      '--batch': 'flag',
      '--answers=refresh=N': 'flag',
      '--disable-coloring': 'flag',
      '--ignore-redirects': 'flag',
      '--ignore-proxy': 'flag',
      '--level': /[12]/,
      '--risk': /1/,
      '--technique=': /B?E?U?S?T?/,
      '--threads=': /1/,
      '--timeout': /10/,
      '--retries': /1/,
      '--flush-session': 'flag',
      '--output-dir=': /o/,
      '--host=': /[a-z0-9_.-]{1,253}(:\d{1,5})?/,
      '--method=': /GET|POST/,
      '--data=': /[A-Za-z0-9_.~%=&+,:/@-]{1,2048}/,
      ...Object.fromEntries(
        Object.values(ACTIONS).flatMap((option) => (option === undefined ? [] : [[option, 'flag']])),
      ),
    },
  },
  argv: sqlmapArgv,
  needs: {
    // The program itself, its payloads and its word lists; Python's own library is beside the C library.
    read: ['/usr/share/sqlmap'],
  },
  readBack: ['o/*/log', 'o/results-*.csv'],
  atStdoutCap: 'truncate',
  parse: ({ input, pinned, ...waiting }) =>
    parseSqlmap({
      action: input.action,
      param: input.param,
      draftOf: (place) => injectionDraft(pinned.one('url'), { param: input.param, place, techniques: [] }),
      emit: (event) => waiting.emit(event),
    }),
  findings: ({ input, pinned, result }) => draftsOfSqlmap(input, pinned.one('url'), result),
  coverage: ({ pinned, ...facts }) => coverageOfSqlmap({ ...facts, target: pinned.one('url') }),
  probe: { argv: [...PYTHON, '--version'], version: /(\d+\.\d+(?:\.\d+)*)/ },
  presets: [{ name: 'detect', title: 'is the parameter injectable?', input: { action: 'detect' } }],
  examples: [
    {
      title: 'is the id of the lab page injectable?',
      input: { url: { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/item.php?id=1' }, param: 'id' },
      argv: '-E -s -B /usr/share/sqlmap/sqlmap.py -u http://10.77.0.10:8081/item.php?id=1 -p id --batch --answers=refresh=N --disable-coloring --ignore-redirects --ignore-proxy --level 1 --risk 1 --technique=BEU --threads=1 --timeout 10 --retries 1 --flush-session --output-dir=o'.split(
        ' ',
      ),
    },
    {
      title: 'the tables behind a form field, by name',
      input: {
        url: { scheme: 'http', host: 'web.lab.internal', port: 8081, path: '/item.php' },
        param: 'id',
        data: 'id=1&lang=en',
        action: 'tables',
        level: 2,
        technique: 'BU',
      },
      resolves: { 'web.lab.internal': '10.77.0.10' },
      argv: '-E -s -B /usr/share/sqlmap/sqlmap.py -u http://10.77.0.10:8081/item.php -p id --batch --answers=refresh=N --disable-coloring --ignore-redirects --ignore-proxy --level 2 --risk 1 --technique=BU --threads=1 --timeout 10 --retries 1 --flush-session --output-dir=o --host=web.lab.internal:8081 --method=POST --data=id=1&lang=en --tables'.split(
        ' ',
      ),
    },
  ],
});

function sqlmapArgv(input: SqlmapInput, pinned: PinnedTargets): string[] {
  const target = pinned.one('url');
  if (target.url?.scheme === 'https' && target.name !== undefined) {
    // The name would have to be resolved again by sqlmap for TLS: a second answer could be another host (DNS rebinding).
    throw new SallyportError(
      'ERR_TARGET_UNPINNABLE',
      'sqlmap cannot send a TLS server name to a pinned address; give the https URL by its address.',
      { details: { rule: 'target.tls-name', role: 'url' } },
    );
  }
  const option = ACTIONS[input.action];
  return [
    ...PYTHON,
    '-u',
    pinnedUrl(target),
    '-p',
    input.param,
    '--batch',
    // --ignore-redirects does not cover <meta refresh> and Refresh headers: with --batch alone sqlmap 1.7.2 asks, answers
    // itself "yes" and sends its requests to whatever host the page names. This answers "no" to exactly that question.
    '--answers=refresh=N',
    '--disable-coloring',
    '--ignore-redirects',
    '--ignore-proxy',
    '--level',
    String(input.level),
    '--risk',
    '1',
    `--technique=${input.technique}`,
    '--threads=1',
    '--timeout',
    '10',
    '--retries',
    '1',
    '--flush-session',
    '--output-dir=o',
    ...(target.name === undefined ? [] : [`--host=${hostHeader(target)}`]),
    ...(input.data === undefined ? [] : ['--method=POST', `--data=${input.data}`]),
    ...(option === undefined ? [] : [option]),
  ];
}
