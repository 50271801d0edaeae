import { createHash } from 'node:crypto';
import type { Area, Coverage } from '../../core/findings/types.ts';
import { type Cidr, formatAddress, formatCidr, isSingle, parseAddress, parseCidr } from '../../core/targets/address.ts';
import { countPorts, formatPorts } from '../../core/targets/ports.ts';
import type { PinnedTarget, PortRange } from '../../core/targets/types.ts';
import type { RunFacts } from '../../core/tool/definition.ts';
import { type NmapInput, portsOf } from './input.ts';
import { type NmapHost, type NmapResult, TEXTS_LEFT_OUT } from './output.ts';

/** Port ranges over all areas of one run: a broken-off scan of scattered addresses must not cost megabytes. */
const MAX_RANGES = 100_000;
const MAX_NAMED = 20;
const MAX_METHOD = 200;

type Facts = RunFacts<NmapInput, NmapResult>;

/** The hosts whose scan ended, each with the ports, versions and scripts that were asked for. */
export function coverageOfNmap(facts: Facts): Coverage {
  const ports = portsOf(facts.input);
  const ended = facts.result.hosts.filter((host) => isWhole(host, facts.input, ports));
  const every = facts.complete && ended.length === facts.result.hosts.length;
  const networks = merged(every ? facts.pinned.all('targets').flatMap(networkOf) : ended.flatMap(addressOf));
  const perNetwork = areasOf(facts, ports);
  const ranges = Math.max(
    1,
    perNetwork.reduce((sum, area) => sum + (area.ports?.length ?? 0), 0),
  );
  const shown = networks.slice(0, Math.max(1, Math.floor(MAX_RANGES / ranges)));
  return {
    areas: [
      ...shown.flatMap((network) => perNetwork.map((area) => ({ ...area, network }))),
      ...osAreas(facts, every ? shown : merged(withoutLast(facts, ended).flatMap(addressOf)).slice(0, shown.length)),
    ],
    missing: missingOf(facts, { isEvery: every, ended: ended.length, isCut: shown.length < networks.length }),
  };
}

/** Every port that was asked for is listed or counted: nmap gave the host's scan an end and all of it was read. */
function isWhole(host: NmapHost, { scan }: NmapInput, ports: readonly PortRange[]): boolean {
  if (host.timedOut) return false;
  if (scan === 'ping') return host.state !== 'unknown';
  const listed = new Set(host.ports.map(({ port }) => port)).size;
  return listed + host.otherPorts.reduce((sum, { count }) => sum + count, 0) === countPorts(ports);
}

function areasOf({ input, context, result }: Facts, ports: readonly PortRange[]): readonly Omit<Area, 'network'>[] {
  if (input.scan === 'ping') {
    // Who is silent to one way of asking may answer to the other.
    return [{ kinds: ['host'], method: context.raw ? 'ping by ICMP and TCP' : 'ping by TCP 80,443' }];
  }
  const protocol = input.scan === 'udp' ? 'udp' : 'tcp';
  const areas: Omit<Area, 'network'>[] = [
    // Without a ping a host is only seen by its ports: one that answers at others is not gone.
    { kinds: ['host'], method: bounded(`answers at ${protocol} ${formatPorts(ports)}`) },
    { kinds: ['port'], protocol, ports },
  ];
  // What is not in the result because of its size cannot be told from what is not there.
  if (result.notes.includes(TEXTS_LEFT_OUT)) return areas;
  if (input.version !== 'off') {
    areas.push({ kinds: ['service'], protocol, ports, method: `versions, intensity ${input.version}` });
  }
  if (input.scripts.length > 0 || input.version !== 'off') {
    // Version detection runs scripts of its own.
    const names = input.scripts.toSorted().join(',');
    const method = bounded(`scripts ${names === '' ? 'of version detection' : names}, versions ${input.version}`);
    areas.push({ kinds: ['script', 'tls'], protocol, ports, method });
    // Scripts about the host as a whole.
    areas.push({ kinds: ['script'], ports: [], method });
  }
  return areas;
}

function osAreas({ input, context }: Facts, networks: readonly string[]): readonly Area[] {
  if (!input.os || !context.raw) return [];
  return networks.map((network) => ({ kinds: ['note'], network, method: 'operating system' }));
}

/** The last host of a report that broke off has all its ports, but perhaps not what nmap writes behind them. */
function withoutLast({ complete, result }: Facts, ended: readonly NmapHost[]): readonly NmapHost[] {
  const last = complete || result.stats.hostsTotal > 0 ? undefined : result.hosts.at(-1);
  return ended.filter((host) => host !== last);
}

function missingOf(
  { input, context, result, pinned }: Facts,
  { isEvery, ended, isCut }: { readonly isEvery: boolean; readonly ended: number; readonly isCut: boolean },
): readonly string[] {
  const late = result.hosts.filter(({ timedOut }) => timedOut).map(({ address }) => address);
  const named = late.slice(0, MAX_NAMED).join(', ');
  return [
    ...(late.length === 0
      ? []
      : [`Given up after ${input.hostTimeoutS} s: ${named}${late.length > MAX_NAMED ? ', …' : ''}.`]),
    ...(isEvery ? [] : [`${ended} of ${pinned.size.addresses} addresses were looked at to the end.`]),
    ...(isCut ? ['More addresses were looked at than the coverage holds: the others count as not looked at.'] : []),
    ...(input.os && !context.raw ? ['The operating system: no raw packets here.'] : []),
    ...(result.notes.includes(TEXTS_LEFT_OUT) ? ['Versions and scripts: not all of their texts were kept.'] : []),
  ];
}

/** A text that two runs share exactly when they did the same, however long it is. */
function bounded(text: string): string {
  if (text.length <= MAX_METHOD) return text;
  return `${text.slice(0, MAX_METHOD)}… sha256:${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function networkOf(target: PinnedTarget): readonly Cidr[] {
  const read = parseCidr(target.name === undefined ? target.canonical : target.address);
  return read.ok ? [read.value] : [];
}

function addressOf(host: NmapHost): readonly Cidr[] {
  const read = parseAddress(host.address);
  return read.ok ? [read.value] : [];
}

/** The same addresses in as few blocks as two halves can be joined to, as text. */
function merged(blocks: readonly Cidr[]): readonly string[] {
  const left = new Map(blocks.map((block) => [nameOf(block), block]));
  const queue = [...left.values()];
  for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
    const { family, bits, prefix } = block;
    const half = 1n << BigInt((family === 4 ? 32 : 128) - prefix);
    const other = { family, bits: bits ^ half, prefix };
    if (prefix === 0 || !left.has(nameOf(block)) || !left.has(nameOf(other))) continue;
    left.delete(nameOf(block));
    left.delete(nameOf(other));
    const whole = { family, bits: bits & ~half, prefix: prefix - 1 };
    left.set(nameOf(whole), whole);
    queue.push(whole);
  }
  return [...left.values()].map((block) => (isSingle(block) ? formatAddress(block) : formatCidr(block)));
}

function nameOf({ family, bits, prefix }: Cidr): string {
  return `${family} ${bits} ${prefix}`;
}
