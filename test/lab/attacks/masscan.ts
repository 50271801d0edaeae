import { ATTACKER, BEYOND_EDGE, DENIED_HOST, METADATA, OUTSIDE, PORTS, TARGET } from '../layout.ts';
import type { Attack, Control, Setting } from './attack.ts';

const scan = (...cidrs: string[]) => ({ cidrs, ports: '80', rate: 200 });
/** One control for all: a run of masscan takes about ten seconds, whatever it scans. */
const control: Control = { input: scan(TARGET), reaches: { address: TARGET, port: 80 } };
const web = { address: OUTSIDE, port: 80 };
const link = ({ lab }: Setting) =>
  `--interface ${lab.link.interface} --adapter-ip ${ATTACKER} --router-mac ${lab.link.mac}`.split(' ');
const bare =
  (...args: string[]) =>
  (setting: Setting): string[] => ['masscan', ...args, ...(args.includes('-p') ? [] : ['-p', '80']), ...link(setting)];

/** What masscan must not be brought to do. */
export const MASSCAN_ATTACKS: readonly Attack[] = [
  {
    name: 'scan an address out of scope',
    input: scan(OUTSIDE),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: bare(OUTSIDE), reaches: web },
  },
  {
    name: 'scan a network that begins in scope and ends out of it',
    input: scan('10.77.0.0/23'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_TOO_LARGE'],
    control,
    unguarded: { argv: bare('10.77.1.8/30'), reaches: { address: BEYOND_EDGE, port: 80 } },
  },
  {
    name: 'scan a network around a host that the operator took out',
    input: scan('10.77.0.16/28'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: bare('10.77.0.20/30'), reaches: { address: DENIED_HOST, port: 80 } },
  },
  {
    name: 'scan a network larger than its limit',
    input: scan('10.0.0.0/8'),
    refused: ['ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_TOO_LARGE'],
    control,
  },
  {
    name: 'find a second target behind a comma',
    input: scan(`${TARGET},${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(`${TARGET},${OUTSIDE}`), reaches: web },
  },
  {
    name: 'find a second target behind a space',
    input: scan(`${TARGET} ${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(TARGET, OUTSIDE), reaches: web },
  },
  {
    name: 'expand a range from one address to another',
    input: scan(`${TARGET}-10.88.0.255`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(`10.88.0.9-${OUTSIDE}`), reaches: web },
  },
  {
    name: 'take a target for the option that adds targets',
    input: scan(`--range=${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare(`--range=${OUTSIDE}`), reaches: web },
  },
  {
    name: 'take a target for the option that reads its whole configuration from a file',
    input: ({ lab }) => scan(`-c${lab.traps}/masscan.conf`),
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: (setting) => bare('-c', `${setting.lab.traps}/masscan.conf`)(setting), reaches: web },
  },
  {
    name: 'find an option behind the ports',
    input: { ...scan(TARGET), ports: `80 --range=${OUTSIDE}` },
    refused: ['ERR_INPUT_INVALID'],
    control,
    unguarded: { argv: bare('-p', '80', `--range=${OUTSIDE}`), reaches: web },
  },
  {
    name: 'find an option behind the rate',
    input: { ...scan(TARGET), rate: `200 --range=${OUTSIDE}` },
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'scan faster than its top, or without end',
    input: { ...scan(TARGET), rate: 10_000_000 },
    refused: ['ERR_INPUT_INVALID'],
    control,
  },
  {
    name: 'take an IPv4 target in IPv6 clothes',
    input: scan(`::ffff:${OUTSIDE}`),
    refused: ['ERR_INPUT_INVALID', 'ERR_TARGET_OUT_OF_SCOPE', 'ERR_TARGET_INVALID'],
    control,
  },
  {
    name: 'take a network with host bits for another one (10.88.0.10/8 is all of 10/8)',
    input: scan('10.77.0.10/24'),
    refused: ['ERR_TARGET_INVALID'],
    spares: { address: DENIED_HOST },
    control,
    unguarded: { argv: bare('10.77.0.21/30'), reaches: { address: DENIED_HOST } },
  },
  {
    name: 'touch a denied port',
    input: { ...scan(TARGET), ports: String(PORTS.denied) },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
    unguarded: { argv: bare(TARGET, '-p', String(PORTS.denied)), reaches: { address: TARGET, port: PORTS.denied } },
  },
  {
    name: 'touch a denied port among all',
    input: { ...scan(TARGET), ports: 'all', rate: 1000 },
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    spares: { address: TARGET, port: PORTS.denied },
    control,
  },
  {
    name: 'reach the metadata service of a cloud',
    input: scan(METADATA),
    refused: ['ERR_TARGET_OUT_OF_SCOPE'],
    control,
    unguarded: { argv: bare(METADATA), reaches: { address: METADATA, port: 80 } },
  },
];
