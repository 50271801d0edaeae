import { type Static, Type } from '@sinclair/typebox';
import { NetworkSchema, PortsSchema } from '../../../schemas/target.ts';
import { SallyportError } from '../../core/errors.ts';
import { reachOf } from '../../core/execution/reach.ts';
import { formatPorts, parsePorts } from '../../core/targets/ports.ts';
import type { PinnedTargets, PortRange, TargetClaim } from '../../core/targets/types.ts';
import { defineTool, type ToolContext } from '../../core/tool/definition.ts';
import { estimateMasscan, spentByMasscan } from './estimate.ts';
import { coverageOfMasscan, draftOfPort } from './findings.ts';
import { MasscanResultSchema, parseMasscan } from './parse.ts';

const WAIT_S = 3;

const InputSchema = Type.Object(
  {
    cidrs: Type.Array(NetworkSchema, {
      minItems: 1,
      maxItems: 32,
      uniqueItems: true,
      description: 'IPv4 addresses and networks in CIDR notation; 256 addresses in all.',
    }),
    ports: { ...PortsSchema, description: `TCP ports. ${PortsSchema.description}` },
    rate: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 100,
      description: 'Packets per second. Addresses × ports ÷ rate has to fit into the time limit.',
    }),
  },
  { additionalProperties: false },
);
type Input = Static<typeof InputSchema>;

function portsOf(input: Input): readonly PortRange[] {
  const read = parsePorts(input.ports);
  return read.ok ? read.value : [];
}

function targets(input: Input): readonly TargetClaim[] {
  return input.cidrs.map((value) => ({ role: 'cidrs', kind: 'network', value, ports: portsOf(input) }));
}

function check(input: Input): readonly string[] {
  const read = parsePorts(input.ports);
  return [
    ...(read.ok ? [] : [`ports: ${read.fault}`]),
    ...(input.cidrs.some((cidr) => cidr.includes(':')) ? ['cidrs: only IPv4 is taken'] : []),
  ];
}

function argv(input: Input, pinned: PinnedTargets, context: ToolContext): readonly string[] {
  const seconds = Math.ceil(Number(pinned.size.probes) / input.rate) + WAIT_S;
  if (seconds * 1000 > context.timeoutMs) {
    // A scan that is cut off in the middle says nothing about what it did not reach; better not begun.
    throw new SallyportError(
      'ERR_INPUT_INVALID',
      `This scan takes ${seconds} s at ${input.rate} packets per second; the limit is ${context.timeoutMs / 1000} s. Take fewer ports or addresses, or a higher rate.`,
      { details: { faults: [{ path: '/rate', message: `the scan would take ${seconds} s` }] } },
    );
  }
  const { interface: name, adapterIp, routerMac } = context.link;
  return [
    ...pinned.all('cidrs').map((target) => target.canonical),
    '-p',
    formatPorts(portsOf(input)),
    '--rate',
    String(input.rate),
    '--wait',
    String(WAIT_S),
    ...(name === undefined ? [] : ['--interface', name]),
    ...(adapterIp === undefined ? [] : ['--adapter-ip', adapterIp]),
    ...(routerMac === undefined ? [] : ['--router-mac', routerMac]),
    '-oD',
    '-',
  ];
}

/** masscan 1.3.2: open TCP ports of a network, by packets of its own making. */
export default defineTool({
  name: 'masscan',
  title: 'Which ports of a network are open?',
  description:
    'Very fast half-open TCP port scan with masscan: finds open ports over up to 256 IPv4 addresses, nothing else: no versions, no closed or filtered ports, no names. Use it to find where to look, then nmap for the details. It sends packets of its own making past the kernel, so the gateway needs raw packets; rate is packets per second. What is not listed was closed, filtered or lost on the way.',
  binary: 'masscan',
  debianPackage: 'masscan',
  risk: 'intrusive',
  raw: 'required',
  timeoutMs: 300_000,
  maxTimeoutMs: 3_600_000,
  concurrency: 1,
  maxConcurrency: 1,
  limits: { maxAddresses: 256, maxPorts: 65_535 },
  input: InputSchema,
  output: MasscanResultSchema,
  check,
  targets,
  needsRaw: () => true,
  // It writes and reads whole frames past the kernel. /etc/masscan/masscan.conf is not read: it can hold any option.
  needs: { sockets: ['packet'] },
  // It knows TCP alone.
  reach: (input, pinned) => reachOf(targets(input), pinned, ['tcp']),
  estimate: estimateMasscan,
  spent: spentByMasscan,
  grammar: {
    options: {
      '-p': 'ports',
      '--rate': /^[1-9][0-9]{0,4}$/,
      '--wait': /^3$/,
      '--interface': /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}$/,
      '--adapter-ip': /^(\d{1,3}\.){3}\d{1,3}$/,
      '--router-mac': /^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$/,
      '-oD': /^-$/,
    },
    operands: 'network',
  },
  argv,
  parse: parseMasscan,
  findings: ({ result }) =>
    result.hosts.flatMap(({ address, ports }) => ports.map((port) => draftOfPort(address, port))),
  coverage: ({ input, pinned, complete, result }) =>
    coverageOfMasscan({ pinned, ports: portsOf(input), complete, result }),
  probe: { argv: ['--version'], version: /Masscan version (\d[\w.]*)/ },
  presets: [
    {
      name: 'web',
      title: 'Web servers',
      input: { ports: '80,443,3000,5000,8000,8008,8080,8081,8443,8888,9000,9090', rate: 200 },
    },
    {
      name: 'common',
      title: 'The services found most often',
      input: { ports: '21-23,25,53,80,110-111,135,139,143,443,445,993,995,1723,3306,3389,5432,5900,8080', rate: 300 },
    },
  ],
  examples: [
    {
      title: 'web ports of a small network',
      input: { cidrs: ['10.77.0.0/28', '10.77.1.5'], ports: '80,443,8000-8010', rate: 200 },
      raw: true,
      argv: ['10.77.0.0/28', '10.77.1.5', '-p', '80,443,8000-8010', '--rate', '200', '--wait', '3', '-oD', '-'],
    },
  ],
});
