import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { readIfThere } from './gateway-process.ts';

const LISTEN = '0A';
const WILDCARDS = new Set(['00000000', '0'.repeat(32)]);

/**
 * Why a gateway could not listen there now; undefined when nothing speaks against it. Read from /proc, without opening
 * a socket: a check must not take the port away from the start that follows it.
 */
export function portFault(host: string, port: number, tables: readonly string[] = readTables()): string | undefined {
  if (isIP(host) !== 0 && !isOwnAddress(host)) return `${host} is not an address of this machine`;
  if (port === 0) return undefined;
  if (port < firstFreePort() && !mayBindService()) {
    return `${port} is a privileged port, and the gateway is never root; take one from 1024 up, behind a proxy if need be`;
  }
  return isTaken(host, port, tables) ? `${port} is in use by another process` : undefined;
}

function isOwnAddress(host: string): boolean {
  if (host === '0.0.0.0' || host === '::' || host.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === host));
}

function firstFreePort(): number {
  return Number(readIfThere('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024);
}

function mayBindService(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 10n) & 1n) === 1n;
}

function readTables(): readonly string[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readIfThere(path) ?? '');
}

/** Looks for a listener on the port whose address is ours, or a wildcard on either side (proc_net(5)). */
function isTaken(host: string, port: number, tables: readonly string[]): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const wanted = isIP(host) === 4 ? hexOf(host) : undefined;
  const isWildcard = host === '0.0.0.0' || host === '::';
  return tables
    .flatMap((table) => table.split('\n'))
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === LISTEN && local?.endsWith(suffix) === true)
    .map(([, local]) => (local ?? '').slice(0, -suffix.length))
    .some((address) => isWildcard || wanted === undefined || WILDCARDS.has(address) || address === wanted);
}

/** An IPv4 address as the kernel prints it on a little-endian machine, which both supported ones are. */
function hexOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0').toUpperCase());
  return bytes.toReversed().join('');
}
