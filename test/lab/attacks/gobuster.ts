import { DENIED_HOST, METADATA, OUTSIDE, PORTS, TARGET } from '../layout.ts';
import { type Attack, type Control, guessAt, type Setting } from './attack.ts';

const WORDS = 'lists/lab-web.txt';
const http = (host: string, more: Readonly<Record<string, unknown>> = {}) => ({
  mode: 'dir',
  url: { scheme: 'http', host, ...more },
  wordlist: WORDS,
  delayMs: 0,
});
const dns = (more: Readonly<Record<string, unknown>> = {}) => ({
  mode: 'dns',
  domain: 'lab.internal',
  wordlist: 'lists/lab-dns.txt',
  delayMs: 0,
  ...more,
});
const web = { address: OUTSIDE, port: 80 };
const nameServer = { address: OUTSIDE, port: PORTS.dns };
const control: Control = { input: http(TARGET), reaches: { address: TARGET, port: PORTS.web } };
const byName: Control = { ...control, input: http('inside.hostile.test') };
const dnsControl: Control = { input: dns(), reaches: { address: TARGET, port: PORTS.dns } };
const unguardedAt = (url: string, ...more: string[]) => guessAt('lab-web.txt', '-u', url, ...more);
const guessAfter = (first: string, url: string) => (setting: Setting) => [
  'sh',
  '-c',
  `${first}; exec gobuster dir -q -u ${url} -w ${setting.lab.lists}/lab-web.txt`,
];
const passwords = { log: 'nginx', line: /root:/ } as const;

/** What gobuster must not be brought to do. */
export const GOBUSTER_ATTACKS: readonly Attack[] = [
  {
    name: 'ask a web server out of scope',
    input: http(OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: unguardedAt(`http://${OUTSIDE}/`), reaches: web },
  },
  {
    name: 'follow redirects out of scope',
    input: { ...http(TARGET), wordlist: 'lists/lab-redirects.txt' },
    control,
    unguarded: { argv: guessAt('lab-redirects.txt', '-r', '-u', `http://${TARGET}/`), reaches: web },
  },
  {
    name: 'follow a name to a web server out of scope',
    input: http('outside.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
    unguarded: { argv: unguardedAt('http://outside.hostile.test/'), reaches: web },
  },
  {
    name: 'resolve again after the check (DNS rebinding)',
    input: http('gobuster.flip.test'),
    control: byName,
    unguarded: {
      argv: guessAfter(`dig +short @${TARGET} twice.flip.test`, 'http://twice.flip.test/'),
      reaches: web,
    },
  },
  {
    name: 'choose among mixed answers by itself',
    input: http('mixed.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
  },
  {
    name: 'take the host behind a user name in the URL',
    input: http(`${TARGET}@${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: unguardedAt(`http://${TARGET}@${OUTSIDE}/`), reaches: web },
  },
  {
    name: 'take a path that becomes another host',
    input: http(TARGET, { path: `@${OUTSIDE}/` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a path that begins with two slashes for another host',
    input: http(TARGET, { path: `//${OUTSIDE}/` }),
    control,
  },
  {
    name: 'take a backslash for the end of the host',
    input: http(`${OUTSIDE}\\@${TARGET}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a port from the host and lose the checked one',
    input: http(`${TARGET}:${PORTS.denied}`, { port: 80 }),
    refused: ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
    unguarded: {
      argv: unguardedAt(`http://${TARGET}:${PORTS.denied}/`),
      reaches: { address: TARGET, port: PORTS.denied },
    },
  },
  {
    name: 'ask a denied port',
    input: http(TARGET, { port: PORTS.denied }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
  },
  {
    name: 'ask a host that the operator took out of an allowed network',
    input: http(DENIED_HOST),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: unguardedAt(`http://${DENIED_HOST}/`), reaches: { address: DENIED_HOST, port: 80 } },
  },
  {
    name: 'reach the metadata service through a name',
    input: http('metadata.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: byName,
    unguarded: { argv: unguardedAt(`http://${METADATA}/`), reaches: { address: METADATA, port: 80 } },
  },
  {
    name: 'send the lines of a file by a path that climbs out',
    input: { ...http(TARGET), wordlist: 'lists/../../../../etc/passwd' },
    refused: ['ERR_INPUT_INVALID'],
    unlogged: passwords,
    control,
  },
  {
    name: 'send the lines of a file by an absolute path',
    input: { ...http(TARGET), wordlist: '/etc/passwd' },
    refused: ['ERR_INPUT_INVALID'],
    unlogged: passwords,
    control,
    unguarded: {
      argv: ['gobuster', 'dir', '-q', '-u', `http://${TARGET}/`, '-w', '/etc/passwd'],
      reaches: { address: TARGET, port: 80 },
      logs: passwords,
    },
  },
  {
    name: 'send the lines of a file by a link among the word lists',
    input: { ...http(TARGET), wordlist: 'lists/linked.txt' },
    refused: ['ERR_INPUT_INVALID'],
    unlogged: passwords,
    control,
  },
  {
    name: 'take an extension for an option',
    input: { ...http(TARGET), extensions: [`php -r --proxy=http://${OUTSIDE}`] },
    refused: ['ERR_INPUT_INVALID'],
    control: { ...control, input: { ...http(TARGET), extensions: ['php'] } },
    unguarded: { argv: unguardedAt(`http://${TARGET}/`, '--proxy', `http://${OUTSIDE}`), reaches: web },
  },
  {
    name: 'ask a DNS server out of scope',
    input: dns({ resolver: `${OUTSIDE}:53` }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: dnsControl,
    unguarded: {
      argv: ({ lab }) => ['gobuster', 'dns', '-d', 'lab.internal', '-r', OUTSIDE, '-w', `${lab.lists}/lab-dns.txt`],
      reaches: nameServer,
    },
  },
  {
    name: 'ask the system’s DNS server when none is given',
    input: dns(),
    control: dnsControl,
    unguarded: {
      argv: ({ lab }) => ['gobuster', 'dns', '-d', 'lab.internal', '-w', `${lab.lists}/lab-dns.txt`],
      reaches: nameServer,
    },
  },
  {
    name: 'enumerate a domain out of scope, which would leak to its servers',
    input: dns({ domain: 'victim.test' }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    unlogged: { log: 'dnsmasq', line: /victim\.test/ },
    control: dnsControl,
  },
  {
    name: 'take a domain for an option',
    input: dns({ domain: `-r=${OUTSIDE}` }),
    refused: ['ERR_INPUT_INVALID'],
    control: dnsControl,
  },
];
