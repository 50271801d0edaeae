import { SallyportError } from '../errors.ts';
import { type Cidr, formatAddress, overlaps } from './address.ts';
import { formatEndpoint, parseEndpoint } from './canonicalise.ts';
import { findDeniedPorts } from './ports.ts';
import { quote } from './rules.ts';
import { touchesLoopback } from './special-ranges.ts';
import type { PortRange } from './types.ts';

/** A place where the gateway itself, its store, its Redis or its metrics can be reached. */
export interface OwnEndpoint {
  /** An IP address, never a wildcard: see `expandOwnEndpoints`. */
  readonly address: string;
  /** Absent: every port. */
  readonly port?: number;
}

const UNSPECIFIED = new Set(['0.0.0.0', '::']);

/** Replaces a listener on 0.0.0.0 or :: by all addresses of the machine's interfaces, which it can be reached by. */
export function expandOwnEndpoints(
  endpoints: readonly OwnEndpoint[],
  interfaceAddresses: readonly string[],
): readonly OwnEndpoint[] {
  return endpoints.flatMap((endpoint) =>
    UNSPECIFIED.has(endpoint.address)
      ? ['127.0.0.1', '::1', ...interfaceAddresses].map((address) => ({ ...endpoint, address }))
      : [endpoint],
  );
}

/** Every fault of configured own addresses (`address[:port]`, no names, no wildcards), one sentence each. */
export function ownAddressFaults(entries: readonly string[]): readonly string[] {
  return entries.flatMap((entry, index) => {
    const read = parseEndpoint(entry);
    if (!read.ok) return [`ownAddresses[${index}]: ${read.fault}`];
    return isWildcard(read.value.address) ? [`ownAddresses[${index}]: a wildcard must be expanded first`] : [];
  });
}

/** Reads `address[:port]` entries that have no faults. */
export function readOwnAddresses(entries: readonly string[]): readonly OwnEndpoint[] {
  return entries.flatMap((entry) => {
    const read = parseEndpoint(entry);
    if (!read.ok) return [];
    const { address, port } = read.value;
    return [{ address: formatAddress(address), ...(port === undefined ? {} : { port }) }];
  });
}

/**
 * The own endpoint that a contact would meet, as text, or undefined. An own address is denied wholly: an agent must not
 * turn a tool against the gateway that holds it. On loopback, which a lab shares with the gateway, only the port is, on
 * every loopback address, and everything when the touched ports are unknown. Throws ERR_INTERNAL on an endpoint that
 * cannot be read: fail closed.
 */
export function findOwnEndpoint(
  block: Cidr,
  ports: readonly PortRange[],
  own: readonly OwnEndpoint[],
): string | undefined {
  const met = own.find((endpoint) => {
    const address = addressOf(endpoint);
    if (!touchesLoopback(address)) return overlaps(block, address);
    if (!touchesLoopback(block)) return false;
    const { port } = endpoint;
    return port === undefined || ports.length === 0 || findDeniedPorts(ports, [{ from: port, to: port }]) !== undefined;
  });
  if (met === undefined) return undefined;
  return met.port === undefined ? met.address : formatEndpoint(addressOf(met), met.port);
}

function addressOf(endpoint: OwnEndpoint): Cidr {
  const read = parseEndpoint(endpoint.address);
  if (read.ok && !isWildcard(read.value.address)) return read.value.address;
  throw new SallyportError('ERR_INTERNAL', 'The gateway does not know its own addresses; no target can be allowed.', {
    cause: new Error(`own endpoint ${quote(endpoint.address)} is not one address`),
  });
}

function isWildcard(address: Cidr): boolean {
  return address.bits === 0n;
}
