import { type Static, Type } from '@sinclair/typebox';
import { HostOrNetworkSchema, PortsSchema } from '../../../schemas/target.ts';
import { parsePorts } from '../../core/targets/ports.ts';
import type { PortRange } from '../../core/targets/types.ts';
import { NMAP_SCRIPTS } from './scripts.ts';

const SCRIPT_NAMES = Object.keys(NMAP_SCRIPTS);
/** Packets per second when the caller names no rate. */
export const DEFAULT_RATE = 500;
/** More ports than this need a rate that the caller chose. */
export const UNPACED_PORTS = 10_000;

/** What a caller may ask of nmap. */
export const NmapInputSchema = Type.Object(
  {
    targets: Type.Array(HostOrNetworkSchema, {
      minItems: 1,
      maxItems: 64,
      uniqueItems: true,
      description: 'What to scan: addresses, names, networks in CIDR notation; 1024 addresses in all, one IP version.',
    }),
    ports: Type.Optional({
      ...PortsSchema,
      description: `${PortsSchema.description} top100 when left out; more than 10000 ports need maxRate; not with ping.`,
    }),
    scan: Type.Union(
      ['connect', 'syn', 'udp', 'ping'].map((scan) => Type.Literal(scan)),
      {
        default: 'connect',
        description:
          'connect: full TCP handshake. syn: half-open, falls back to connect without raw packets. udp: needs raw packets. ping: only which hosts are up.',
      },
    ),
    version: Type.Union([Type.Literal('off'), Type.Integer({ minimum: 0, maximum: 9 })], {
      default: 'off',
      description: 'Version detection: "off", or its intensity 0 (light) to 9 (every probe).',
    }),
    os: Type.Boolean({
      default: false,
      description: 'Guess the operating system; needs raw packets, raises the risk.',
    }),
    scripts: Type.Array(Type.Unsafe<string>({ type: 'string', enum: SCRIPT_NAMES }), {
      default: [],
      maxItems: 20,
      uniqueItems: true,
      description:
        'NSE scripts by name. Those of the categories vuln, brute and intrusive raise the risk to intrusive, exploit and dos to exploit.',
    }),
    timing: Type.Integer({
      minimum: 2,
      maximum: 4,
      default: 3,
      description: 'Timing template: 2 polite, 3 normal, 4 fast.',
    }),
    maxRate: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 5000,
        description: `Packets per second at most; ${DEFAULT_RATE} when left out.`,
      }),
    ),
    hostTimeoutS: Type.Integer({
      minimum: 1,
      maximum: 600,
      default: 300,
      description: 'Seconds after which nmap gives a host up and drops what it knew of it.',
    }),
  },
  { additionalProperties: false },
);
export type NmapInput = Static<typeof NmapInputSchema>;

/** The ports that this call touches. */
export function portsOf(input: NmapInput): readonly PortRange[] {
  // A ping scan without raw packets is a connection to 80 and 443: these are touched and have to be permitted.
  const read = parsePorts(input.scan === 'ping' ? '80,443' : (input.ports ?? 'top100'));
  return read.ok ? read.value : [];
}
