import { type Static, Type } from '@sinclair/typebox';
import { HostSchema, ResolverSchema } from '../../../schemas/target.ts';
import { formatAddress, parseAddress } from '../../core/targets/address.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import { defineTool } from '../../core/tool/definition.ts';
import { estimateDig, spentByDig } from './estimate.ts';
import { coverageOfDig, draftsOfDig, type Question } from './findings.ts';
import { DigResultSchema, parseDig } from './parse.ts';

const TYPES = 'A AAAA MX NS TXT SOA CNAME PTR SRV CAA DNSKEY DS TLSA SSHFP HTTPS SVCB ANY AXFR'.split(' ');

const InputSchema = Type.Object(
  {
    name: {
      ...HostSchema,
      description: 'DNS name to ask about, in scope. With type PTR also an address: its reverse name is asked.',
    },
    type: Type.Unsafe<string>({
      type: 'string',
      enum: TYPES,
      default: 'A',
      description: 'Record type. AXFR asks for the whole zone and raises the risk to active.',
    }),
    server: Type.Optional({
      ...ResolverSchema,
      description:
        'DNS server as address or address:port, in scope or one of the operator’s; the operator’s first when left out.',
    }),
    transport: Type.Union([Type.Literal('udp'), Type.Literal('tcp')], {
      default: 'udp',
      description: 'udp goes on over TCP when the answer is too long; AXFR always uses TCP.',
    }),
    dnssec: Type.Boolean({ default: false, description: 'Also ask for DNSSEC records (the DO bit).' }),
  },
  { additionalProperties: false },
);
type Input = Static<typeof InputSchema>;

/** The name that is asked about: an address under PTR becomes its reverse name, everything else stays for the policy to judge. */
function askedName(input: Input): string {
  if (input.type !== 'PTR') return input.name;
  const address = parseAddress(input.name);
  if (!address.ok) return input.name;
  const { family, bits } = address.value;
  const digits = bits.toString(16).padStart(family === 4 ? 8 : 32, '0');
  if (family === 6) return `${digits.split('').toReversed().join('.')}.ip6.arpa`;
  const octets = digits.match(/../g) ?? [];
  return `${octets
    .map((octet) => Number.parseInt(octet, 16))
    .toReversed()
    .join('.')}.in-addr.arpa`;
}

function argv(input: Input, pinned: PinnedTargets): readonly string[] {
  const server = pinned.one('server');
  return [
    // Without -r dig reads ~/.digrc, which can hold any option.
    '-r',
    `@${server.address}`,
    '-p',
    String(server.port ?? 53),
    '+yaml',
    '+time=2',
    '+tries=1',
    '+noidnin',
    '+noidnout',
    ...(input.transport === 'tcp' ? ['+tcp'] : []),
    ...(input.dnssec ? ['+dnssec'] : []),
    '-t',
    input.type,
    // -q takes the name as a name, also when it looks like a server (@) or an option (+, -).
    '-q',
    pinned.one('name').canonical,
  ];
}

function questionOf(input: Input, pinned: PinnedTargets): Question {
  const address = parseAddress(input.name);
  return {
    subject: address.ok ? formatAddress(address.value) : pinned.one('name').canonical,
    type: input.type,
    dnssec: input.dnssec,
    server: pinned.one('server'),
  };
}

const EXAMPLE = ['+yaml', '+time=2', '+tries=1', '+noidnin', '+noidnout'];

/** dig of BIND 9.18: one DNS query to one permitted server. */
export default defineTool({
  name: 'dig',
  title: 'What does a DNS server answer?',
  description:
    'One DNS query with dig: the records of a name by type, the status (NXDOMAIN and REFUSED are answers too; after SERVFAIL nothing is known), flags and timing. With PTR and an address it looks up the reverse name; AXFR asks for a zone transfer, which is refused where a name below is out of scope. The name must be in scope, the server in scope or one of the operator’s. It follows no delegations, asks no other server, takes no dig options as text.',
  binary: 'dig',
  debianPackage: 'bind9-dnsutils',
  risk: 'observe',
  timeoutMs: 30_000,
  maxTimeoutMs: 300_000,
  concurrency: 5,
  maxConcurrency: 10,
  limits: { maxAddresses: 1, maxPorts: 1 },
  input: InputSchema,
  output: DigResultSchema,
  check: (input) =>
    input.type !== 'PTR' && parseAddress(input.name).ok ? ['an address has only a PTR record: set type to PTR'] : [],
  targets: (input) => [
    { role: 'name', kind: 'domain', value: askedName(input), below: input.type === 'AXFR' },
    { role: 'server', kind: 'resolver', value: input.server ?? '' },
  ],
  raises: (input) =>
    input.type === 'AXFR' ? [{ risk: 'active', option: 'type', why: 'AXFR asks for a whole zone' }] : [],
  estimate: estimateDig,
  spent: ({ input, result, complete }) => spentByDig(input, result, complete),
  grammar: {
    options: {
      '-r': 'flag',
      '-p': /^[1-9][0-9]{0,4}$/,
      '+yaml': 'flag',
      '+time=': /^2$/,
      '+tries=': /^1$/,
      '+noidnin': 'flag',
      '+noidnout': 'flag',
      '+tcp': 'flag',
      '+dnssec': 'flag',
      '-t': new RegExp(`^(${TYPES.join('|')})$`),
      '-q': 'domain',
    },
    attached: { '@': 'address' },
  },
  argv,
  needs: {
    // dig ends at once when this file is there and cannot be read, although the server is given.
    read: ['/etc/resolv.conf'],
  },
  parse: ({ input, pinned, ...waiting }) =>
    parseDig({
      type: input.type,
      draftsOf: (result) => draftsOfDig(questionOf(input, pinned), result),
      emit: (event) => waiting.emit(event),
    }),
  findings: ({ input, pinned, result }) => draftsOfDig(questionOf(input, pinned), result),
  coverage: ({ input, pinned, result, complete }) => coverageOfDig(questionOf(input, pinned), result, complete),
  probe: { argv: ['-v'], version: /DiG (\d[\w.]*)/ },
  presets: [
    { name: 'mail', title: 'Mail servers of a domain', input: { type: 'MX' } },
    { name: 'transfer', title: 'Does the server give the whole zone away?', input: { type: 'AXFR' } },
  ],
  examples: [
    {
      title: 'the address of a lab host',
      input: { name: 'web.lab.internal', server: '10.77.0.10' },
      argv: ['-r', '@10.77.0.10', '-p', '53', ...EXAMPLE, '-t', 'A', '-q', 'web.lab.internal'],
    },
    {
      title: 'the name of an address',
      input: { name: '10.77.0.10', type: 'PTR', server: '10.77.0.10:5353', transport: 'tcp', dnssec: true },
      argv: [
        '-r',
        '@10.77.0.10',
        '-p',
        '5353',
        ...EXAMPLE,
        '+tcp',
        '+dnssec',
        '-t',
        'PTR',
        '-q',
        '10.0.77.10.in-addr.arpa',
      ],
    },
    {
      title: 'a zone transfer',
      input: { name: 'lab.internal', type: 'AXFR', server: '10.77.0.10' },
      argv: ['-r', '@10.77.0.10', '-p', '53', ...EXAMPLE, '-t', 'AXFR', '-q', 'lab.internal'],
    },
  ],
});
