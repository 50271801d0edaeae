import { countPorts } from '../../core/targets/ports.ts';
import type { PinnedTargets } from '../../core/targets/types.ts';
import type { RunFacts, ToolContext, ToolEstimate, ToolSpent } from '../../core/tool/definition.ts';
import { isRaw } from './argv.ts';
import { DEFAULT_RATE, type NmapInput, portsOf } from './input.ts';
import { MOST_PAYLOADS, mostOfOpenPort, mostOfScan, mostOfSystems, TRIES, withPings } from './most-probes.ts';
import type { NmapHost, NmapResult } from './output.ts';

/** How much there is to scan. */
interface Size {
  readonly hosts: number;
  readonly ports: number;
  /** Hosts that nmap 7.93 works on together. */
  readonly group: number;
  /** There is a network among the targets, in which not every address answers. */
  readonly isBlock: boolean;
}

/** One part of a run; nmap does them one after the other. */
interface Phase {
  readonly probes: number;
  readonly seconds: number;
  readonly packetsPerSecond: number;
}

const START_S = 0.1;
/** `-T2`: `--scan-delay 400ms` of each host. */
const POLITE_S = 0.4;
/** Services asked at once by `-T2`, `-T3`, `-T4`; `--max-rate` does not hold there, nor for scripts. */
const SLOTS: Readonly<Record<number, number>> = { 2: 1, 3: 20, 4: 30 };
/** Beside a target that hangs up on everything a slot made 110 connections a second. */
const PER_SLOT = 150;
/** Open ports of a usual host, each asked for its version. */
const OPEN_PORTS = 5;
/** A web server says nothing by itself: nmap waits six seconds for it. */
const VERSION_S = 6.2;
/** Connections of a script; of the two that ask for everything on a list, as counted. */
const SCRIPT_PROBES: Readonly<Record<string, number>> = { 'http-enum': 1080, 'ssl-enum-ciphers': 60 };
const USUAL_SCRIPT_PROBES = 4;
const SCRIPT_S = 0.15;
const OS_PROBES = 40;
const OS_S = 8;
const OS_PER_SECOND = 30;
const SILENT_HOSTS_S = 1.3;

/** Ports × hosts at `--max-rate`, and what is asked of the ports that are open on a usual host; at most what targets can draw out. */
export function estimateNmap(input: NmapInput, pinned: PinnedTargets, context: ToolContext): ToolEstimate {
  const size = sizeOf(input, pinned);
  const phases = [
    input.scan === 'ping'
      ? pingPhase(input, size, isRaw(input, context))
      : portPhase(input, size, isRaw(input, context)),
    ...(input.version === 'off' ? [] : [versionPhase(input, size, input.version)]),
    ...(input.scripts.length === 0 ? [] : [scriptPhase(input, size)]),
    ...(input.os && context.raw ? [osPhase(size)] : []),
  ];
  // nmap gives a host up after its time, so that hosts which are scanned together cost no more than that together.
  const mostS = Math.ceil(size.hosts / size.group) * input.hostTimeoutS;
  const seconds = START_S + Math.min(mostS, sum(phases.map((phase) => phase.seconds)));
  const probes = sum(phases.map((phase) => phase.probes));
  const packetsPerSecond = Math.ceil(Math.max(...phases.map((phase) => phase.packetsPerSecond)));
  const most = mostOfScan(input, { ...size, raw: isRaw(input, context) });
  return {
    probes,
    mostProbes: Math.max(probes, Math.min(most, mostInTime(input, packetsPerSecond, context))),
    packetsPerSecond,
    durationMs: Math.ceil(seconds * 1000),
  };
}

/** No scan sends more than its rate over its whole time, however much there is to ask. */
function mostInTime({ scan }: NmapInput, packetsPerSecond: number, { timeoutMs }: ToolContext): number {
  // --max-rate counts all payloads of a UDP port as one.
  return packetsPerSecond * (scan === 'udp' ? MOST_PAYLOADS : 1) * (Math.ceil(timeoutMs / 1000) + 1);
}

/**
 * The most that a whole scan can have sent: a silent port counts with every try that the argv allows, an open one with
 * all that versions and scripts may take there. Left out where closed ports are asked as often as silent ones (UDP), and
 * where nmap does not say who was silent (ping).
 */
export function spentByNmap(facts: RunFacts<NmapInput, NmapResult>): ToolSpent {
  const { input, pinned, context, result, complete } = facts;
  if (!complete || input.scan === 'udp' || input.scan === 'ping') return {};
  const { hosts } = sizeOf(input, pinned);
  const silent = sum(result.hosts.map(silentPorts));
  const asked = sum(result.hosts.map(countedPorts)) + (TRIES - 1) * silent;
  const before = isRaw(input, context) ? hosts * TRIES : 0;
  const systems = input.os && context.raw ? mostOfSystems(hosts) : 0;
  const deep = result.stats.openPorts * mostOfOpenPort(input);
  return { probes: before + (silent === 0 ? asked : withPings(asked)) + deep + systems };
}

function countedPorts({ ports, otherPorts }: NmapHost): number {
  return ports.length + sum(otherPorts.map(({ count }) => count));
}

function silentPorts({ ports, otherPorts }: NmapHost): number {
  const listed = ports.filter(({ state }) => isSilent(state)).length;
  return listed + sum(otherPorts.map(({ state, count }) => (isSilent(state) ? count : 0)));
}

function isSilent(state: string): boolean {
  return state.includes('filtered');
}

function sizeOf(input: NmapInput, pinned: PinnedTargets): Size {
  const targets = pinned.all('targets');
  // Of a name its first address alone is scanned.
  const hosts = sum(targets.map(({ name, addressCount }) => (name === undefined ? Number(addressCount) : 1)));
  const ports = countPorts(portsOf(input));
  const group = input.scan === 'udp' ? 128 : Math.max(64, Math.floor(1024 / Math.max(1, ports)));
  return {
    hosts,
    ports,
    group: input.scan === 'ping' ? 4096 : group,
    isBlock: targets.some(({ name, addressCount }) => name === undefined && addressCount > 1n),
  };
}

function pingPhase({ maxRate, timing }: NmapInput, { hosts, isBlock }: Size, raw: boolean): Phase {
  const packetsPerSecond = maxRate ?? DEFAULT_RATE;
  // By socket: ports 80 and 443. By packets of its own: ICMP twice and TCP twice, or ARP.
  const probes = hosts * (raw ? 4 : 2);
  // `-T2` asks one host after the other, and waits for each that is silent.
  const silentS = isBlock ? SILENT_HOSTS_S * (timing === 2 ? hosts : 1) : 0;
  return { probes, packetsPerSecond, seconds: probes / packetsPerSecond + silentS };
}

function portPhase(input: NmapInput, { hosts, ports, group }: Size, raw: boolean): Phase {
  const rate = input.maxRate ?? DEFAULT_RATE;
  const groups = Math.ceil(hosts / group);
  // A closed UDP port may say so once a second only: nearly all are asked as often as a silent one.
  const isUdp = input.scan === 'udp';
  // With packets of its own nmap first asks by ARP who is there.
  const probes = hosts * ports * (isUdp ? TRIES : 1) + (raw ? hosts : 0);
  const isPolite = input.timing === 2;
  const politeS = isPolite ? groups * ports * POLITE_S : 0;
  const udpS = isUdp ? groups * (1 + ports * 0.08) : 0;
  return {
    probes,
    packetsPerSecond: isPolite ? Math.min(rate, hosts / POLITE_S) : rate,
    seconds: Math.max(probes / rate, politeS) + udpS,
  };
}

function versionPhase({ timing }: NmapInput, { hosts, ports }: Size, intensity: number): Phase {
  const slots = Math.min(SLOTS[timing] ?? 1, hosts * ports);
  const open = hosts * Math.min(ports, OPEN_PORTS);
  const seconds = Math.ceil(open / slots) * VERSION_S;
  return { probes: open * (1 + Math.ceil(intensity / 4)), packetsPerSecond: slots * PER_SLOT, seconds };
}

function scriptPhase({ scripts, timing }: NmapInput, { hosts }: Size): Phase {
  const packetsPerSecond = (SLOTS[timing] ?? 1) * PER_SLOT;
  const probes = hosts * sum(scripts.map((name) => SCRIPT_PROBES[name] ?? USUAL_SCRIPT_PROBES));
  return { probes, packetsPerSecond, seconds: SCRIPT_S + probes / packetsPerSecond };
}

function osPhase({ hosts, group }: Size): Phase {
  const seconds = Math.ceil(hosts / group) * OS_S;
  return { probes: hosts * OS_PROBES, packetsPerSecond: hosts * OS_PER_SECOND, seconds };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
