import { SallyportError } from '../../core/errors.ts';
import type { ScratchFile } from '../../core/execution/types.ts';
import type { PinnedTarget, PinnedTargets } from '../../core/targets/types.ts';
import { defineTool, type ToolContext, type WordlistClaim } from '../../core/tool/definition.ts';
import { estimateHydra, spentByHydra } from './estimate.ts';
import { coverageOfHydra, draftOfCredential, draftsOfHydra } from './findings.ts';
import { formOption } from './form.ts';
import { checkHydra, type HydraInput, HydraInputSchema, tasksOf } from './input.ts';
import { HydraResultSchema, parseHydra } from './parser.ts';
import { SERVICES, serviceOf } from './services.ts';

const MAX_USERS = 1000;
const MAX_PASSWORDS = 10_000;

/**
 * The first guess of every HTTP run. hydra 9.4 takes an open or missing page for a valid login, so that a page
 * without authentication would "have" every password; a server that takes this one takes any.
 */
export const CANARY = 'sallyport-canary-9f61c0a7d2';

/** Logins of one service, by hydra 9.4. */
export default defineTool({
  name: 'hydra',
  title: 'Guess logins of one service',
  description:
    'Tries user names and passwords, given or from server-side lists, against one service of one host. Every attempt is a real ' +
    'login and may lock accounts out: use short lists. Found passwords are stored apart; the result shows a reference. ' +
    'open: true means that the service let in a password that cannot be right or asks for none, so nothing was learned about ' +
    'accounts. An empty result with complete: true means that every guess was refused; "could not look" is a failure, and note says why an answer is not complete.',
  binary: 'hydra',
  debianPackage: 'hydra',
  risk: 'exploit',
  timeoutMs: 900_000,
  maxTimeoutMs: 3_600_000,
  concurrency: 1,
  maxConcurrency: 2,
  limits: { maxAddresses: 1, maxPorts: 1 },
  input: HydraInputSchema,
  output: HydraResultSchema,
  check: checkHydra,
  targets: (input) => {
    const port = portOf(input);
    return [{ role: 'host', kind: 'host', value: input.host, ports: [{ from: port, to: port }] }];
  },
  wordlists: listClaims,
  degrades: (input) =>
    serviceOf(input.service).http === 'page' && !isAddress(input.host)
      ? [`hydra cannot set the Host header for ${input.service}: the server is asked by its address, not by its name.`]
      : [],
  estimate: estimateHydra,
  spent: spentByHydra,
  grammar: {
    prefix: ['-I', '-q'],
    options: {
      '-d': 'flag',
      '-f': 'flag',
      '-6': 'flag',
      '-t': 'integer',
      '-w': /10/,
      '-W': /1/,
      '-s': 'integer',
      '-b': /json/,
      '-o': /out\.json/,
      '-L': /u/,
      '-P': /p/,
    },
    operands: ['address', new RegExp(`^(?:${Object.keys(SERVICES).join('|')})$`), /\/[!-~]*(?: [!-~]*)?/],
  },
  argv: hydraArgv,
  // Without /etc/ssh/ssh_config, which libssh would read: a ProxyCommand there runs a shell and leads elsewhere.
  needs: {},
  files: hydraFiles,
  readBack: ['out.json'],
  atStdoutCap: 'truncate',
  secrets: ['passwords'],
  parse: ({ input, pinned, context, ...waiting }) =>
    parseHydra({
      host: pinned.one('host').canonical,
      service: input.service,
      stopOnFirst: input.stopOnFirst,
      logins: input.users,
      successText: input.form?.successText !== undefined,
      canary: CANARY,
      keepSecret: (secret) => context.keepSecret(secret),
      draftOf: (found) => draftOfCredential({ input, target: pinned.one('host') }, found),
      emit: (event) => waiting.emit(event),
    }),
  findings: ({ input, pinned, result }) => draftsOfHydra({ input, target: pinned.one('host') }, result),
  coverage: ({ pinned, ...facts }) => coverageOfHydra({ ...facts, target: pinned.one('host') }),
  probe: { argv: ['-h'], version: /Hydra v(\d+\.\d+)/ },
  examples: [
    {
      title: 'two users against the lab sshd',
      input: { host: '10.77.0.10', service: 'ssh', users: ['labuser', 'root'], passwords: ['sunshine', 'letmein'] },
      argv: '-I -q -d -t 4 -w 10 -W 1 -s 22 -b json -o out.json -L u -P p 10.77.0.10 ssh'.split(' '),
    },
    {
      title: 'a page behind basic authentication, until the first hit',
      input: {
        host: 'web.lab.internal',
        service: 'http-get',
        path: '/private/',
        users: ['admin'],
        passwordList: 'nmap/passwords.lst',
        stopOnFirst: true,
      },
      resolves: { 'web.lab.internal': '10.77.0.10' },
      argv: '-I -q -d -f -t 1 -w 10 -W 1 -s 80 -b json -o out.json -L u -P p 10.77.0.10 http-get /private/'.split(' '),
    },
    {
      title: 'a login form by name',
      input: {
        host: 'web.lab.internal',
        port: 8081,
        service: 'http-post-form',
        path: '/login:v1',
        users: ['admin'],
        passwords: ['sunshine'],
        form: {
          userField: 'user',
          passwordField: 'pass',
          fields: [{ name: 'token', value: 'a:b&c' }],
          failureText: 'wrong: \\ try again',
        },
        tasks: 2,
      },
      resolves: { 'web.lab.internal': '10.77.0.10' },
      argv: [
        ...'-I -q -d -t 2 -w 10 -W 1 -s 8081 -b json -o out.json -L u -P p 10.77.0.10 http-post-form'.split(' '),
        '/login\\:v1:user=^USER^&pass=^PASS^&token=a%3Ab%26c:H=Host\\: web.lab.internal\\:8081:F=wrong\\x3a\\x20\\x5c\\x20try\\x20again',
      ],
    },
  ],
});

function hydraArgv(input: HydraInput, pinned: PinnedTargets, context: ToolContext): string[] {
  checkListSizes(context);
  const target = pinned.one('host');
  const { takes, proof } = serviceOf(input.service);
  const option = moduleOption(input, target);
  return [
    // -I: a hydra.restore is never taken up. -q: connection errors of single attempts are not shown, they are in the summary.
    '-I',
    '-q',
    // -d: the one output that shows which guesses were answered.
    ...(proof === 'hidden' ? [] : ['-d']),
    ...(input.stopOnFirst ? ['-f'] : []),
    '-t',
    String(tasksOf(input)),
    '-w',
    '10',
    // A worker connects again as long as a server closes on it, without end: this is one connection a second.
    '-W',
    '1',
    '-s',
    String(portOf(input)),
    '-b',
    'json',
    '-o',
    'out.json',
    ...(target.family === 6 ? ['-6'] : []),
    // Lists are files of mode 0600: an argument could be read by every user of the machine in /proc.
    ...(takes === 'login' ? ['-L', 'u'] : []),
    '-P',
    'p',
    target.address,
    input.service,
    ...(option === undefined ? [] : [option]),
  ];
}

function moduleOption(input: HydraInput, target: PinnedTarget): string | undefined {
  const { path, form } = input;
  if (path === undefined || form === undefined) return path;
  const port = portOf(input);
  const { name } = target;
  return formOption(form, {
    path,
    ...(name === undefined ? {} : { hostHeader: port === 80 ? name : `${name}:${port}` }),
  });
}

function hydraFiles(input: HydraInput, context: ToolContext): ScratchFile[] {
  const isHttp = serviceOf(input.service).http !== undefined;
  const files: ScratchFile[] = [];
  if (serviceOf(input.service).takes === 'login') {
    files.push({ name: 'u', content: input.users?.join('\n').concat('\n') ?? { copyOf: listOf(context, 'userList') } });
  }
  const before = isHttp ? `${CANARY}\n` : '';
  const given = input.passwords;
  files.push({
    name: 'p',
    content:
      given === undefined ? { copyOf: listOf(context, 'passwordList'), before } : `${before}${given.join('\n')}\n`,
  });
  return files;
}

function listClaims(input: HydraInput): WordlistClaim[] {
  return (['userList', 'passwordList'] as const).flatMap((role) => {
    const name = input[role];
    return name === undefined ? [] : [{ role, name }];
  });
}

function checkListSizes(context: ToolContext): void {
  for (const [role, most] of [
    ['userList', MAX_USERS],
    ['passwordList', MAX_PASSWORDS],
  ] as const) {
    const list = context.wordlists.get(role);
    if (list === undefined || list.lines <= most) continue;
    throw new SallyportError('ERR_INPUT_INVALID', `The word list ${list.name} has more than ${most} lines.`, {
      details: { faults: [{ path: `/${role}`, message: `has more than ${most} lines` }] },
    });
  }
}

function listOf(context: ToolContext, role: string): string {
  const list = context.wordlists.get(role);
  if (list === undefined) throw new SallyportError('ERR_INTERNAL', 'The word list was not looked up.');
  return list.path;
}

function portOf(input: HydraInput): number {
  return input.port ?? serviceOf(input.service).port;
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host);
}
