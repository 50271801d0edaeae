import { BEYOND_EDGE, DENIED_HOST, LOOPBACK_PORT, METADATA, OUTSIDE, PORTS, SIX, TARGET } from '../layout.ts';
import { asTool, type Attack, type Control } from './attack.ts';

const control: Control = { input: { targets: [TARGET], ports: '80' }, reaches: { address: TARGET, port: 80 } };
const web = { address: OUTSIDE, port: 80 };
const scan = (...args: string[]): string[] => ['nmap', '-n', '-Pn', '-p', '80', ...args];
const touch = (address: string): string[] => ['bash', '-c', `: </dev/tcp/${address}/80`];
const at = (...targets: string[]) => ({ targets, ports: '80' });

/** What nmap must not be brought to do. */
export const NMAP_ATTACKS: readonly Attack[] = [
  {
    name: 'scan an address out of scope',
    input: at(OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan(OUTSIDE), reaches: web },
  },
  {
    name: 'scan the one outsider in a list of good targets',
    input: at(TARGET, OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan(TARGET, OUTSIDE), reaches: web },
  },
  {
    name: 'scan a network that begins in scope and ends out of it',
    input: at('10.77.0.0/23'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan('10.77.1.8/30'), reaches: { address: BEYOND_EDGE, port: 80 } },
  },
  {
    name: 'scan a network around a host that the operator took out',
    input: at('10.77.0.16/28'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan('10.77.0.20/30'), reaches: { address: DENIED_HOST, port: 80 } },
  },
  {
    name: 'follow a name in scope to an address out of scope',
    input: at('outside.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: at('inside.hostile.test') },
    unguarded: { argv: scan('outside.hostile.test'), reaches: web },
  },
  {
    name: 'take the good one of mixed answers and leave the other to nmap',
    input: at('mixed.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: at('inside.hostile.test') },
  },
  {
    name: 'miss an outer IPv6 answer behind a good IPv4 answer',
    input: at('families.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { input: at(SIX.target), reaches: { address: SIX.target } },
    unguarded: { argv: scan('-6', SIX.outside), reaches: { address: SIX.outside } },
  },
  {
    name: 'follow an alias (CNAME) out of scope',
    input: at('alias.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { ...control, input: at('inside.hostile.test') },
  },
  {
    name: 'resolve again after the check (DNS rebinding)',
    input: at('nmap.flip.test'),
    control: { ...control, input: at('inside.hostile.test') },
    unguarded: { argv: ['sh', '-c', 'nmap -n -sL once.flip.test; nmap -n -Pn -p 80 once.flip.test'], reaches: web },
  },
  {
    name: 'take an IPv4 address in IPv6 clothes (RFC 4291 mapped)',
    input: at(`::ffff:${OUTSIDE}`),
    refused: ['ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_INVALID'],
    control,
    unguarded: { argv: touch(`::ffff:${OUTSIDE}`), reaches: web },
  },
  {
    name: 'follow a NAT64 answer to the IPv4 address inside',
    input: at('translated.hostile.test'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control: { input: at(SIX.target), reaches: { address: SIX.target } },
    unguarded: { argv: scan('-6', '64:ff9b::a58:a'), reaches: { address: '64:ff9b::a58:a' } },
  },
  {
    name: 'read an octal octet otherwise than the check (10.77.0.024 is .20 to inet_aton)',
    input: at('10.77.0.024'),
    refused: ['ERR_TARGET_INVALID'],
    control,
    unguarded: { argv: touch('10.77.0.024'), reaches: { address: DENIED_HOST, port: 80 } },
  },
  {
    name: 'take an address written as one number',
    input: at('0x0a58000a'),
    refused: ['ERR_TARGET_INVALID', 'ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: touch('0x0a58000a'), reaches: web },
  },
  {
    name: 'expand a range of octets in its own notation',
    input: at('10.77-88.0.10'),
    refused: ['ERR_TARGET_INVALID', 'ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan('10.87-88.0.10'), reaches: web },
  },
  {
    name: 'find a second target behind a space',
    input: at(`${TARGET} ${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: ['sh', '-c', scan(TARGET, OUTSIDE).join(' ')], reaches: web },
  },
  {
    name: 'find a second target behind a line break',
    input: at(`${TARGET}\n${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take a target for an option and read targets from a file',
    input: ({ lab }) => at(`-iL${lab.traps}/targets.txt`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: ({ lab }) => scan('-iL', `${lab.traps}/targets.txt`), reaches: web },
  },
  {
    name: 'find an option behind the ports',
    input: { targets: [TARGET], ports: `80 ${OUTSIDE}` },
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'run a script by its path',
    input: ({ lab }) => ({ ...at(TARGET), scripts: [`${lab.traps}/evil.nse`] }),
    refused: ['ERR_INPUT_INVALID'],
    control: { ...control, input: { ...at(TARGET), scripts: ['http-title'] } },
    unguarded: { argv: ({ lab }) => scan('--script', `${lab.traps}/evil.nse`, TARGET), reaches: web },
  },
  {
    name: 'run a script that takes new targets from its arguments',
    input: { ...at(TARGET), scripts: [`targets-ipv6-map4to6 --script-args=newtargets,${OUTSIDE}`] },
    refused: ['ERR_INPUT_INVALID'],
    control: { ...control, input: { ...at(TARGET), scripts: ['http-title'] } },
  },
  {
    name: 'touch a denied port',
    input: { targets: [TARGET], ports: String(PORTS.denied) },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
    unguarded: { argv: ['nmap', '-n', '-Pn', '-p', '8500', TARGET], reaches: { address: TARGET, port: PORTS.denied } },
  },
  {
    name: 'touch a denied port inside a range',
    input: { targets: [TARGET], ports: '8490-8510' },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
  },
  {
    name: 'touch port 0',
    input: { targets: [TARGET], ports: '0' },
    refused: ['ERR_INPUT_INVALID'],
    spares: { address: TARGET, port: 0 },
    control,
    unguarded: { argv: ['nmap', '-n', '-Pn', '-p', '0', TARGET], reaches: { address: TARGET, port: 0 } },
  },
  {
    name: 'turn against services of its own machine',
    input: { targets: ['127.0.0.1'], ports: String(LOOPBACK_PORT) },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: {
      argv: asTool('nmap', '-n', '-Pn', '-p', String(LOOPBACK_PORT), '127.0.0.1'),
      reaches: { address: '127.0.0.1', port: LOOPBACK_PORT },
    },
  },
  {
    name: 'turn against the gateway that started it, through a name',
    input: ({ gateway }) => ({ targets: ['loopback.hostile.test'], ports: String(gateway.port) }),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: {
      argv: ({ gateway }) => asTool('nmap', '-n', '-Pn', '-p', String(gateway.port), '127.0.0.1'),
      reaches: ({ gateway }) => ({ address: '127.0.0.1', port: gateway.port }),
    },
  },
  {
    name: 'reach the metadata service of a cloud',
    input: at(METADATA),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: scan(METADATA), reaches: { address: METADATA, port: 80 } },
  },
  {
    name: 'reach the unspecified address, which is the own machine',
    input: { targets: ['unspecified.hostile.test'], ports: String(LOOPBACK_PORT) },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
  },
];
