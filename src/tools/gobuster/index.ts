import { type Static, Type } from '@sinclair/typebox';
import { DomainSchema, ResolverSchema, UrlPartsSchema } from '../../../schemas/target.ts';
import { WordlistNameSchema } from '../../../schemas/wordlist.ts';
import { SallyportError } from '../../core/errors.ts';
import type { FindingDraft } from '../../core/findings/types.ts';
import type { PinnedTargets, TargetClaim } from '../../core/targets/types.ts';
import { hostHeader, pinnedUrl, urlOfParts } from '../../core/targets/url-text.ts';
import { defineTool, type PinnedWordlist, type RiskRaise, type ToolContext } from '../../core/tool/definition.ts';
import { estimateGobuster, type GobusterLoad, spentByGobuster } from './estimate.ts';
import { coverageOfGobuster, draftOfPath, draftsOfName } from './findings.ts';
import { type GobusterResult, GobusterResultSchema, parseGobuster } from './parser.ts';

const GobusterInputSchema = Type.Object(
  {
    mode: Type.Union([Type.Literal('dir'), Type.Literal('dns')], {
      description: 'dir: paths of a web server (give url). dns: names below a domain (give domain).',
    }),
    url: Type.Optional(UrlPartsSchema),
    domain: Type.Optional(DomainSchema),
    resolver: Type.Optional({
      ...ResolverSchema,
      description: 'dns: the DNS server as address or address:port. Default: the operator’s first.',
    }),
    wordlist: WordlistNameSchema,
    extensions: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9]{1,10}$', description: 'An extension without its dot.' }), {
        minItems: 1,
        maxItems: 10,
        uniqueItems: true,
        description: 'dir: also try every word with these extensions.',
      }),
    ),
    statusCodes: Type.Optional(
      Type.Array(Type.Integer({ minimum: 100, maximum: 599, description: 'An HTTP status.' }), {
        minItems: 1,
        maxItems: 20,
        uniqueItems: true,
        description: 'dir: report only these statuses. Default: everything but 404.',
      }),
    ),
    threads: Type.Integer({ minimum: 1, maximum: 20, default: 10, description: 'Requests at once.' }),
    delayMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60_000,
        description:
          'Pause of each thread between two requests, ms. Default: as long as keeps the rate at 20 requests/s; shorter is intrusive.',
      }),
    ),
  },
  { additionalProperties: false },
);
type GobusterInput = Static<typeof GobusterInputSchema>;

const ACTIVE_RATE = 20;
/** One word is one HTTP request, or an A and an AAAA query. */
const REQUESTS_PER_TURN = { dir: 1, dns: 2 } as const;

/** Paths of a web server and names of a zone, by gobuster 3.5. */
export default defineTool({
  name: 'gobuster',
  title: 'Find paths of a web server or names of a zone from a word list',
  description:
    'Tries every word of a server-side word list as a path of a web server (mode dir) or as a name below a domain (mode dns) ' +
    'and lists what answered. Use it after nmap found a web or DNS server. It never follows redirects: where one points is data. ' +
    'A server that answers every path alike makes it stop with a failure: give statusCodes then. ' +
    'failedRequests above 0 means that words were not looked at. Above 20 requests/s the call is intrusive.',
  binary: 'gobuster',
  debianPackage: 'gobuster',
  risk: 'active',
  timeoutMs: 600_000,
  maxTimeoutMs: 3_600_000,
  concurrency: 2,
  maxConcurrency: 4,
  limits: { maxAddresses: 1, maxPorts: 2 },
  // The Go runtime reserves its arenas at start: below 128 MiB of data or 768 MiB of addresses it does not come up.
  dataBytes: 268_435_456,
  addressSpaceBytes: 2_147_483_648,
  input: GobusterInputSchema,
  output: GobusterResultSchema,
  check: checkGobuster,
  targets: gobusterTargets,
  wordlists: (input) => [{ role: 'wordlist', name: input.wordlist }],
  raises: gobusterRaises,
  estimate: (input, _pinned, context) => estimateGobuster(loadOf(input, context)),
  spent: ({ input, context, complete }) => spentByGobuster(loadOf(input, context), complete),
  grammar: {
    prefix: [['dir'], ['dns']],
    options: {
      '--no-color': 'flag',
      '-i': 'flag',
      '-k': 'flag',
      // Alone, -s does nothing: the black list has the default 404 and wins, unless it is emptied.
      '--status-codes-blacklist=': 'flag',
      '-t': 'integer',
      '--timeout': /5s/,
      '--delay': /\d{1,5}ms/,
      '-x': /^[A-Za-z0-9]{1,10}(?:,[A-Za-z0-9]{1,10})*$/,
      '-s': /\d{3}(,\d{3})*/,
      '-H': /Host: [a-z0-9_.-]{1,253}(:\d{1,5})?/,
      '-w': /-/,
      '-u=': 'url',
      '-d=': 'domain',
      '-r=': 'endpoint',
    },
  },
  argv: (input, pinned) => (input.mode === 'dir' ? dirArgv(input, pinned) : dnsArgv(input, pinned)),
  // Without the machine's hosts and resolv.conf, which the Go resolver would read, no name of theirs shows as found.
  needs: {},
  stdin: (_input, context) => ({ copyOf: wordlistOf(context).path }),
  atStdoutCap: 'kill',
  parse: ({ input, context, pinned, ...waiting }) =>
    parseGobuster({
      mode: input.mode,
      expected: wordlistOf(context).lines * (input.mode === 'dir' ? 1 + (input.extensions?.length ?? 0) : 1),
      draftsOf: (found) => ('path' in found ? findings(pinned, [found], []) : findings(pinned, [], [found])),
      emit: (event) => waiting.emit(event),
    }),
  findings: ({ result, pinned }) => findings(pinned, result.paths, result.names),
  coverage: ({ input, pinned, context, result, complete }) =>
    coverageOfGobuster({ input, pinned, list: wordlistOf(context), result, complete }),
  probe: { argv: ['version'], version: /^\s*(\d+\.\d+(?:\.\d+)?)/ },
  presets: [
    { name: 'quick', title: 'about a thousand paths, 20/s', input: { mode: 'dir', wordlist: 'dirb/small.txt' } },
    { name: 'standard', title: 'about 4,600 paths, 20/s', input: { mode: 'dir', wordlist: 'dirb/common.txt' } },
    {
      name: 'thorough',
      title: 'about 20,000 paths, 50/s (intrusive)',
      input: { mode: 'dir', wordlist: 'dirb/big.txt', threads: 20, delayMs: 400 },
    },
    { name: 'dns', title: 'common host names of a zone', input: { mode: 'dns', wordlist: 'nmap/vhosts-full.lst' } },
  ],
  examples: [
    {
      title: 'paths of a lab web server, by name',
      input: { mode: 'dir', url: { scheme: 'http', host: 'web.lab.internal' }, wordlist: 'dirb/common.txt' },
      resolves: { 'web.lab.internal': '10.77.0.10' },
      argv: [
        ...'dir --no-color -t 10 --timeout 5s --delay 500ms -H'.split(' '),
        'Host: web.lab.internal',
        ...'-w - -u=http://10.77.0.10:80/'.split(' '),
      ],
    },
    {
      title: 'PHP pages that answer 200 or 403, by address',
      input: {
        mode: 'dir',
        url: { scheme: 'http', host: '10.77.0.10', port: 8081, path: '/app/' },
        wordlist: 'dirb/small.txt',
        extensions: ['php', 'bak'],
        statusCodes: [200, 403],
        threads: 4,
        delayMs: 250,
      },
      argv: 'dir --no-color -t 4 --timeout 5s --delay 250ms -x php,bak -s 200,403 --status-codes-blacklist= -w - -u=http://10.77.0.10:8081/app/'.split(
        ' ',
      ),
    },
    {
      title: 'names of the lab zone',
      input: { mode: 'dns', domain: 'lab.internal', resolver: '10.77.0.10', wordlist: 'nmap/vhosts-full.lst' },
      argv: 'dns --no-color -t 10 --delay 1000ms -d=lab.internal. -r=10.77.0.10:53 -i -w -'.split(' '),
    },
  ],
});

function checkGobuster(input: GobusterInput): string[] {
  const faults: string[] = [];
  if (input.mode === 'dir') {
    if (input.url === undefined) faults.push('mode dir needs url');
    if (input.domain !== undefined || input.resolver !== undefined) faults.push('mode dir takes no domain or resolver');
    // gobuster would end with an error that reads as "the server could not be reached".
    if (/%(?![0-9A-Fa-f]{2})/.test(input.url?.path ?? '')) {
      faults.push('url.path: "%" is followed by two hexadecimal digits');
    }
    if (input.url?.path?.includes('?')) faults.push('url.path may not have a query: words are appended to it');
    return faults;
  }
  if (input.domain === undefined) faults.push('mode dns needs domain');
  if (input.url !== undefined) faults.push('mode dns takes no url');
  if (input.extensions !== undefined || input.statusCodes !== undefined) {
    faults.push('mode dns takes no extensions or statusCodes');
  }
  return faults;
}

function gobusterTargets(input: GobusterInput): TargetClaim[] {
  if (input.mode === 'dns') {
    return [
      { role: 'domain', kind: 'domain', value: input.domain ?? '', below: true },
      { role: 'resolver', kind: 'resolver', value: input.resolver ?? '' },
    ];
  }
  if (input.url === undefined) return [];
  return [{ role: 'url', kind: 'url', value: urlOfParts(input.url) }];
}

function delayOf(input: GobusterInput): number {
  return input.delayMs ?? Math.ceil((input.threads * REQUESTS_PER_TURN[input.mode] * 1000) / ACTIVE_RATE);
}

function gobusterRaises(input: GobusterInput): RiskRaise[] {
  const delay = delayOf(input);
  const rate = delay === 0 ? Number.POSITIVE_INFINITY : (input.threads * REQUESTS_PER_TURN[input.mode] * 1000) / delay;
  if (rate <= ACTIVE_RATE) return [];
  return [{ risk: 'intrusive', option: 'delayMs', why: `more than ${ACTIVE_RATE} requests per second` }];
}

// Not -q and not --no-error: with them gobuster 3.5 hides requests that failed and ends with 0, so that a server which
// died after ten words would read as "nothing there". Not -z: its progress is ours.
function dirArgv(input: GobusterInput, pinned: PinnedTargets): string[] {
  const target = pinned.one('url');
  const isTls = target.url?.scheme === 'https';
  if (isTls && target.name !== undefined) {
    // The name would have to be resolved again by gobuster for TLS: a second answer could be another host (DNS rebinding).
    throw new SallyportError(
      'ERR_TARGET_UNPINNABLE',
      'gobuster cannot send a TLS server name to a pinned address; give the https URL by its address.',
      { details: { rule: 'target.tls-name', role: 'url' } },
    );
  }
  return [
    'dir',
    '--no-color',
    '-t',
    String(input.threads),
    '--timeout',
    '5s',
    ...delayArgv(input),
    // A certificate is made for a name; by address there is nothing that it could be checked against.
    ...(isTls ? ['-k'] : []),
    ...(input.extensions === undefined ? [] : ['-x', input.extensions.join(',')]),
    ...(input.statusCodes === undefined ? [] : ['-s', input.statusCodes.join(','), '--status-codes-blacklist=']),
    ...(target.name === undefined ? [] : ['-H', `Host: ${hostHeader(target)}`]),
    '-w',
    '-',
    `-u=${pinnedUrl(target)}`,
  ];
}

function dnsArgv(input: GobusterInput, pinned: PinnedTargets): string[] {
  return [
    'dns',
    '--no-color',
    '-t',
    String(input.threads),
    ...delayArgv(input),
    // The dot keeps the search domains of resolv.conf away: they would be asked too, and their answers shown as found.
    `-d=${pinned.one('domain').canonical}.`,
    `-r=${pinned.one('resolver').canonical}`,
    '-i',
    '-w',
    '-',
  ];
}

function delayArgv(input: GobusterInput): string[] {
  const delay = delayOf(input);
  return delay === 0 ? [] : ['--delay', `${delay}ms`];
}

function findings(
  pinned: PinnedTargets,
  paths: GobusterResult['paths'],
  names: GobusterResult['names'],
): readonly FindingDraft[] {
  const drafts = [
    ...paths.map((path) => draftOfPath(pinned.one('url'), path)),
    ...names.flatMap((name) => draftsOfName(pinned.one('domain').canonical, name)),
  ];
  // A word that stands twice in the list is found twice.
  return [...new Map(drafts.toReversed().map((draft) => [draft.key, draft])).values()].toReversed();
}

function loadOf(input: GobusterInput, context: ToolContext): GobusterLoad {
  return { ...input, delayMs: delayOf(input), words: wordlistOf(context).lines };
}

function wordlistOf(context: ToolContext): PinnedWordlist {
  const list = context.wordlists.get('wordlist');
  if (list === undefined) throw new SallyportError('ERR_INTERNAL', 'The word list was not looked up.');
  return list;
}
