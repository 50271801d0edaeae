import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { run, runInside, until } from './command.ts';
import { ATTACKER, BEYOND_EDGE, DENIED_HOST, METADATA, OUTSIDE, PORTS, SECOND, SIX, TARGET } from './layout.ts';
import type { LabRecord } from './record.ts';

/** Where a packet went. Without a port: any packet to the address, whatever its protocol. */
export interface Place {
  readonly address: string;
  readonly port?: number;
}

/** Makes the two namespaces and the cable between them. Neither has a default route or a link to the machine. */
export async function makeNetwork(record: LabRecord): Promise<void> {
  const { attacker, target } = record;
  // A tool that asks the system's resolver instead of the operator's is seen: that one is outside the scope.
  mkdirSync(`/etc/netns/${attacker}`, { recursive: true });
  writeFileSync(`/etc/netns/${attacker}/resolv.conf`, `nameserver ${OUTSIDE}\noptions timeout:1 attempts:1\n`);
  await run('ip', ['netns', 'add', attacker]);
  await run('ip', ['netns', 'add', target]);
  // Some machines switch IPv6 off for interfaces to come; where that cannot be changed, the addresses below say so.
  const switchOn =
    'echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6';
  for (const namespace of [attacker, target]) await runInside(namespace, ['sh', '-c', switchOn]);
  await run('ip', ['link', 'add', 'va', 'netns', attacker, 'type', 'veth', 'peer', 'name', 'vt', 'netns', target]);
  await run('ip', ['-n', attacker, '-batch', '-'], attackerLinks());
  await run('ip', ['-n', target, '-batch', '-'], targetLinks());
  await run('ip', ['netns', 'exec', target, 'nft', '-f', '-'], targetRules());
  await run('ip', ['netns', 'exec', attacker, 'nft', '-f', '-'], attackerRules());
}

function attackerLinks(): string {
  return `link set lo up
address add ${ATTACKER}/24 dev va
address add ${SIX.attacker}/64 dev va nodad
link set va up
route add 10.88.0.0/24 via ${TARGET}
route add ${BEYOND_EDGE}/32 via ${TARGET}
route add ${METADATA}/32 via ${TARGET}
route add fd88::/64 via ${SIX.target}
route add 64:ff9b::/96 via ${SIX.target}
route add 2002::/16 via ${SIX.target}
`;
}

function targetLinks(): string {
  const four = [TARGET, SECOND, DENIED_HOST, BEYOND_EDGE, OUTSIDE].map(
    (address) => `address add ${address}/24 dev vt\n`,
  );
  return `link set lo up
${four.join('')}address add ${METADATA}/32 dev vt
address add ${SIX.target}/64 dev vt nodad
address add ${SIX.outside}/64 dev vt nodad
link set vt up
`;
}

// What only answers or ends something does not count: it may come late, when the next attack is already watched.
// Whoever wants something begins without ACK, or not by TCP at all.
const ONLY_BEGINNINGS = `tcp flags & (ack | rst) != 0 accept
    icmp type destination-unreachable accept
    icmpv6 type destination-unreachable accept`;

// Counted where packets come in, before anything could drop them: one element for each address and port seen.
function targetRules(): string {
  return `table inet lab {
  set hosts4 { type ipv4_addr; flags dynamic; counter; size 65535; }
  set hosts6 { type ipv6_addr; flags dynamic; counter; size 65535; }
  set tcp4 { type ipv4_addr . inet_service; flags dynamic; counter; size 262144; }
  set udp4 { type ipv4_addr . inet_service; flags dynamic; counter; size 262144; }
  chain arrival {
    type filter hook prerouting priority raw; policy accept;
    ${ONLY_BEGINNINGS}
    iifname "vt" update @hosts4 { ip daddr }
    iifname "vt" update @hosts6 { ip6 daddr }
    iifname "vt" update @tcp4 { ip daddr . tcp dport }
    iifname "vt" update @udp4 { ip daddr . udp dport }
  }
  chain input {
    type filter hook input priority filter; policy accept;
    tcp dport ${PORTS.filtered} drop
  }
}
`;
}

// The attacker's own addresses are seen only from there. The gateway and its tools have one user, never root; what the
// gateway itself sends is DNS alone.
function attackerRules(): string {
  return `table inet lab {
  set hosts4 { type ipv4_addr; flags dynamic; counter; size 65535; }
  set tcp4 { type ipv4_addr . inet_service; flags dynamic; counter; size 262144; }
  set udp4 { type ipv4_addr . inet_service; flags dynamic; counter; size 262144; }
  chain departure {
    type filter hook output priority raw; policy accept;
    ${ONLY_BEGINNINGS}
    meta skuid != 0 update @hosts4 { ip daddr }
    meta skuid != 0 update @tcp4 { ip daddr . tcp dport }
    meta skuid != 0 update @udp4 { ip daddr . udp dport }
  }
}
`;
}

interface SetListing {
  readonly nftables: readonly {
    readonly set?: {
      readonly name: string;
      readonly elem?: readonly { readonly elem: { readonly val: unknown; readonly counter: { packets: number } } }[];
    };
  }[];
}

/** Packets that a namespace's counters have seen since the lab began, by `address` and by `address:port`. */
export async function readCounters(namespace: string): Promise<ReadonlyMap<string, number>> {
  const listing = await run('ip', ['netns', 'exec', namespace, 'nft', '-j', 'list', 'table', 'inet', 'lab']);
  const packets = new Map<string, number>();
  for (const { set } of (JSON.parse(listing) as SetListing).nftables) {
    for (const { elem } of set?.elem ?? []) {
      const key = keyOf(elem.val);
      packets.set(key, (packets.get(key) ?? 0) + elem.counter.packets);
    }
  }
  return packets;
}

/** The key of a place in what `readCounters` answers. */
export function keyOfPlace(place: Place): string {
  return place.port === undefined ? place.address : `${place.address}:${place.port}`;
}

function keyOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return (value as { readonly concat: readonly unknown[] }).concat.join(':');
}

/** The link-layer address of the target's end of the cable. */
export async function targetMac(target: string): Promise<string> {
  const [link] = JSON.parse(await run('ip', ['-j', '-n', target, 'link', 'show', 'vt'])) as { address: string }[];
  if (link === undefined) throw new Error('the lab has no cable');
  return link.address;
}

/** Listening places of a namespace, as `tcp 10.77.0.10:80`. */
export async function listening(namespace: string): Promise<ReadonlySet<string>> {
  const { stdout } = await runInside(namespace, ['ss', '-Hlntu']);
  return new Set(
    stdout
      .split('\n')
      .map((line) => line.split(/\s+/))
      .map(([protocol, , , , local]) => `${protocol} ${local}`),
  );
}

/** Ends every process of both namespaces and removes everything that the network part has made. */
export async function removeNetwork(record: LabRecord): Promise<void> {
  for (const namespace of [record.attacker, record.target]) {
    await emptyNamespace(namespace);
    await runQuietly(['ip', 'netns', 'delete', namespace]);
    rmSync(`/etc/netns/${namespace}`, { recursive: true, force: true });
  }
}

async function emptyNamespace(namespace: string): Promise<void> {
  await signalAll(namespace, 'SIGTERM');
  const isEmpty = async (): Promise<boolean> => (await pidsOf(namespace)).length === 0;
  try {
    await until('an end of its processes', isEmpty, 8000);
  } catch {
    await signalAll(namespace, 'SIGKILL');
    await until('its processes to be killed', isEmpty);
  }
}

async function signalAll(namespace: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  for (const pid of await pidsOf(namespace)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the listing and the signal.
    }
  }
}

async function pidsOf(namespace: string): Promise<readonly number[]> {
  try {
    const listed = await run('ip', ['netns', 'pids', namespace]);
    return listed.split('\n').filter(Boolean).map(Number);
  } catch {
    // No such namespace: nothing can run in it.
    return [];
  }
}

async function runQuietly([program = '', ...args]: readonly string[]): Promise<void> {
  try {
    await run(program, args);
  } catch {
    // Already gone: a clean-up that is repeated after a crash meets this.
  }
}
