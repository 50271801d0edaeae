import {
  type Cidr,
  cidr,
  countAddresses,
  formatAddress,
  formatCidr,
  ipv4,
  isSingle,
  overlaps,
  parseCidr,
} from '../targets/address.ts';
import type { PortRange } from '../targets/types.ts';
import type { Endpoint, Reach } from './types.ts';

/**
 * The link of a run behind layer 5, for tools that make their own packets: the interface, its address and the router of
 * slirp4netns(1) in the documentation network 192.0.2.0/24 (RFC 5737). They stand in `src/launcher/egress.c` too.
 */
export const EGRESS_LINK = { interface: 'tap0', adapterIp: '192.0.2.100', routerMac: '52:55:c0:00:02:02' } as const;

/**
 * Proves layer 5 on a machine without any network: with the rules of `reach`, slirp4netns itself answers a TCP connect to
 * `answered` (ENETUNREACH at once, nothing leaves the machine); to `silent`, which is one port away, nothing answers.
 */
export const EGRESS_PROBE = {
  reach: { endpoints: [{ network: '192.0.2.2', protocol: 'tcp', ports: [{ from: 9, to: 9 }] }] },
  answered: { address: '192.0.2.2', port: 9 },
  silent: { address: '192.0.2.2', port: 10 },
} as const;

/**
 * The largest allow-list that layer 5 takes: endpoints, different sets of ports among them, and intervals of ports in
 * those sets. nft(8) without privilege sends its rules in one message of limited length (measured: all of it at once
 * loads; twice the intervals do not).
 */
export const EGRESS_MAX = { endpoints: 1024, portSets: 64, portIntervals: 2048 } as const;

/** Whether a run can be put behind its allow-list: with the text of the rules, or why it cannot. */
export type EgressDecision =
  | { readonly applies: true; readonly rules: string }
  | { readonly applies: false; readonly reason: string };

/** What the machine can do for layer 5 besides its proof. */
export interface EgressHost {
  /** The gateway may send echo requests without a capability (`mayEcho`); slirp4netns has no other way. */
  readonly echo: boolean;
  /** Only for the proof at start: the link's own network may be reached. */
  readonly ownLink?: boolean;
}

/** Absolute paths of what the chain of a run behind layer 5 begins with. */
export interface EgressPrograms {
  /** The program built from `src/launcher/egress.c`. */
  readonly egress: string;
  readonly slirp: string;
  readonly nft: string;
}

const LINK = cidr('192.0.2.0/24');
// libslirp hands a packet for these to the host's own loopback, --disable-host-loopback notwithstanding.
const THIS_MACHINE = [cidr('0.0.0.0/8'), cidr('127.0.0.0/8')];
const NOT_A_HOST = cidr('224.0.0.0/3');

const NO_ECHO: EgressHost = { echo: false };

interface Parts {
  readonly block: Cidr;
  readonly protocol: Endpoint['protocol'];
  /** `` for every port, otherwise the text of an nft set. */
  readonly ports: string;
}

/**
 * Decides whether layer 5 applies to a run and writes its rules. Throws a plain Error for an endpoint that is not in
 * canonical form: that is a bug of the caller, and the run must not start.
 */
export function egressFor(command: { readonly reach: Reach }, host: EgressHost = NO_ECHO): EgressDecision {
  const { endpoints, ownNetwork } = command.reach;
  const parts = endpoints.map(readEndpoint);
  if (ownNetwork === true) return refuse('the tool needs the network of the machine itself');
  if (isTooLong(parts)) return refuse('the allow-list is too long');
  for (const { block, protocol } of parts) {
    if (block.family === 6) return refuse('IPv6 targets cannot be reached through slirp4netns');
    if (!isHostElsewhere(block)) return refuse('a target is this machine, or not a host');
    if (host.ownLink !== true && overlaps(block, LINK))
      return refuse(`a target lies in ${formatCidr(LINK)}, the network of the link itself`);
    if (protocol === 'icmp' && !host.echo) return refuse('the gateway may not send echo requests (ping_group_range)');
  }
  return { applies: true, rules: write(parts) };
}

/**
 * The nft(8) rules that permit exactly these IPv4 endpoints, twice: `inet` for sockets, `netdev` on the way out of the
 * link for what a tool with NET_RAW sends past the kernel. Pure; built from numbers only. Throws a plain Error for
 * anything that is not a canonical IPv4 block outside this machine with ports in 0..65535.
 */
export function egressRules(reach: Reach): string {
  const parts = reach.endpoints.map(readEndpoint);
  for (const { block } of parts) {
    if (block.family === 6 || !isHostElsewhere(block)) throw new Error('endpoint: not an IPv4 host elsewhere');
  }
  return write(parts);
}

/** The beginning of the chain: everything behind it runs in the namespace. */
export function egressArgv(programs: EgressPrograms, rulesFile: string, raw: boolean): readonly string[] {
  const { egress, slirp, nft } = programs;
  return [egress, `slirp=${slirp}`, `nft=${nft}`, `rules=${rulesFile}`, ...(raw ? ['raw=1'] : []), '--'];
}

/** True when the group may send echo requests by the text of /proc/sys/net/ipv4/ping_group_range (icmp(7)). */
export function mayEcho(pingGroupRange: string, gid: number): boolean {
  const [, from, to] = /^(\d{1,10})\s+(\d{1,10})\s*$/.exec(pingGroupRange) ?? [];
  return from !== undefined && to !== undefined && Number(from) <= gid && gid <= Number(to);
}

function refuse(reason: string): EgressDecision {
  return { applies: false, reason };
}

function isTooLong(parts: readonly Parts[]): boolean {
  const portSets = [...groupsOf(parts).keys()];
  const intervals = portSets.reduce((sum, text) => sum + text.split(',').length, 0);
  const { endpoints, portIntervals } = EGRESS_MAX;
  return parts.length > endpoints || portSets.length > EGRESS_MAX.portSets || intervals > portIntervals;
}

function isHostElsewhere(block: Cidr): boolean {
  return ![...THIS_MACHINE, NOT_A_HOST].some((bad) => overlaps(bad, block));
}

// The text of an endpoint never reaches the rules, only what was read from it: a string must not inject a rule.
function readEndpoint({ network, protocol, ports }: Endpoint): Parts {
  const read = parseCidr(network);
  if (!read.ok) throw new Error(`endpoint: ${read.fault}`);
  const block = read.value;
  const canonical = formatCidr(block);
  if (network !== canonical && !(isSingle(block) && network === formatAddress(block))) {
    throw new Error(`endpoint: the canonical form is ${canonical}`);
  }
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'icmp') throw new Error('endpoint: unknown protocol');
  if (protocol === 'icmp' && ports !== undefined) throw new Error('endpoint: icmp has no ports');
  return { block, protocol, ports: ports === undefined ? '' : portSet(ports) };
}

function portSet(ports: readonly PortRange[]): string {
  for (const { from, to } of ports) {
    const valid = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= 65_535;
    if (!valid) throw new Error('endpoint: not a range of ports');
  }
  // An empty list permits nothing; absent means every port, and the two must not be taken for one another.
  if (ports.length === 0) throw new Error('endpoint: an empty list of ports');
  const merged = merge(ports.map(({ from, to }) => [BigInt(from), BigInt(to)]));
  return merged.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}

type Interval = readonly [from: bigint, to: bigint];

/** Sorted, and without overlap: nft refuses a set whose intervals overlap. */
function merge(intervals: readonly Interval[]): readonly Interval[] {
  const merged: Interval[] = [];
  for (const [from, to] of intervals.toSorted((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const last = merged.at(-1);
    if (last === undefined || from > last[1] + 1n) merged.push([from, to]);
    else if (to > last[1]) merged[merged.length - 1] = [last[0], to];
  }
  return merged;
}

function addressSet(blocks: readonly Cidr[]): string {
  const intervals = merge(blocks.map((block) => [block.bits, block.bits + countAddresses(block) - 1n]));
  return intervals
    .map(([from, to]) => [formatAddress(ipv4(from)), formatAddress(ipv4(to))])
    .map(([from, to]) => (from === to ? from : `${from}-${to}`))
    .join(', ');
}

function groupsOf(parts: readonly Parts[]): ReadonlyMap<string, readonly Parts[]> {
  return Map.groupBy(parts, ({ protocol, ports }) => `${protocol} ${ports}`);
}

function accepts(parts: readonly Parts[]): readonly string[] {
  return [...groupsOf(parts).values()].map((group) => {
    const [{ protocol, ports } = { protocol: 'icmp', ports: '' }] = group;
    const destination = `ip daddr { ${addressSet(group.map(({ block }) => block))} }`;
    if (protocol === 'icmp') return `${destination} icmp type echo-request accept`;
    return ports === ''
      ? `${destination} meta l4proto ${protocol} accept`
      : `${destination} ${protocol} dport { ${ports} } accept`;
  });
}

/**
 * A packet socket names the protocol of its frame itself, so the frame's own type is checked too (a frame called ARP that
 * carries IPv4). Fragments are dropped: only the first has ports to look at. Router solicitations are the clock that
 * `egress` sets; nothing answers them.
 */
function write(parts: readonly Parts[]): string {
  const permitted = ['ip daddr { 0.0.0.0/8, 127.0.0.0/8 } drop', ...accepts(parts)].join('\n    ');
  const clock = 'ip6 daddr ff02::2 icmpv6 type nd-router-solicit accept';
  return `table inet egress {
  chain permitted {
    ${permitted}
  }
  chain out {
    type filter hook output priority 0; policy drop;
    ${clock}
    meta nfproto ipv4 ip frag-off & 0x3fff == 0 jump permitted
  }
}
table netdev egress {
  chain permitted {
    ${permitted}
  }
  chain out {
    type filter hook egress device "${EGRESS_LINK.interface}" priority 0; policy drop;
    meta protocol arp ether type arp arp operation request arp daddr ip 192.0.2.2 accept
    meta protocol arp ether type arp arp operation reply arp saddr ip ${EGRESS_LINK.adapterIp} accept
    meta protocol ip6 ether type ip6 ${clock}
    meta protocol ip ether type ip ip frag-off & 0x3fff == 0 jump permitted
  }
}
`;
}
