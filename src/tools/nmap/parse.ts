import type { PinnedTargets } from '../../core/targets/types.ts';
import { cleanText } from '../../core/tool/clean-text.ts';
import type { ParseInput, ParseOutcome, ToolEnd, ToolParser } from '../../core/tool/definition.ts';
import { createXmlReader, type XmlElement } from '../../core/tool/xml.ts';
import { draftsOfHost } from './findings.ts';
import {
  type NmapHost,
  type NmapPort,
  type NmapResult,
  type NmapScript,
  PORT_STATES,
  TEXTS_LEFT_OUT,
} from './output.ts';

const MAX_HOSTS = 2048;
const MAX_PORTS = 20_000;
const MAX_SCRIPTS = 40;
const MAX_TEXT = 1_000_000;
/** Facts told while the scan runs; the result has them all. */
const MAX_LIVE = 5000;

interface Scan {
  readonly hosts: NmapHost[];
  readonly notes: Set<string>;
  readonly namesByAddress: ReadonlyMap<string, string[]>;
  /** Addresses that this call is for. */
  readonly wanted: number;
  readonly pinned: PinnedTargets;
  readonly emit: ParseInput<unknown>['emit'];
  live: number;
  host: NmapHost | undefined;
  port: NmapPort | undefined;
  ports: number;
  openPorts: number;
  textLeft: number;
  /** The rest of the output was not taken in. */
  cut: boolean;
  finished: boolean;
  counts: { up: number; down: number; total: number };
  elapsedS: number;
}

/** Reads `nmap -oX -` as it comes; see nmap.dtd of nmap 7.93. */
export function parseNmap(input: ParseInput<unknown>): ToolParser<NmapResult> {
  const namesByAddress = new Map<string, string[]>();
  for (const { address, name } of input.pinned.list) {
    if (name !== undefined) namesByAddress.set(address, [...(namesByAddress.get(address) ?? []), name]);
  }
  const scan: Scan = {
    hosts: [],
    notes: new Set(),
    namesByAddress,
    wanted: Number(input.pinned.size.addresses),
    pinned: input.pinned,
    emit: (event) => input.emit(event),
    live: 0,
    host: undefined,
    port: undefined,
    ports: 0,
    openPorts: 0,
    textLeft: MAX_TEXT,
    cut: false,
    finished: false,
    counts: { up: 0, down: 0, total: 0 },
    elapsedS: 0,
  };
  const reader = createXmlReader({
    open: (element) => OPENERS[element.name]?.(scan, element),
    close: (name) => CLOSERS[name]?.(scan),
  });
  return { stdout: (chunk) => reader.push(chunk), end: (end) => conclude(scan, reader.sound, end) };
}

function conclude(scan: Scan, sound: boolean, end: ToolEnd): ParseOutcome<NmapResult> {
  closeHost(scan);
  if (!sound) scan.notes.add('The output could not be read to its end; what came before is kept.');
  if (!scan.finished) scan.notes.add('nmap did not finish: hosts and ports that are not listed were not looked at.');
  const skipped = Math.max(0, scan.wanted - scan.counts.total);
  if (scan.finished && skipped > 0) {
    scan.notes.add(
      `nmap skipped ${skipped} of ${scan.wanted} addresses, for want of a route: they were not looked at.`,
    );
  }
  if (end.stdoutTruncated) scan.notes.add('The output met its size limit.');
  const complete =
    sound &&
    scan.finished &&
    // nmap with raw packets leaves out what it has no route to, and still ends with success and 0.
    skipped === 0 &&
    !scan.cut &&
    !end.stdoutTruncated &&
    end.ending === 'exited' &&
    end.exitCode === 0 &&
    !scan.hosts.some((host) => host.timedOut);
  const result: NmapResult = {
    hosts: scan.hosts,
    stats: {
      hostsUp: scan.counts.up,
      hostsDown: scan.counts.down,
      hostsTotal: scan.counts.total,
      openPorts: scan.openPorts,
      elapsedS: scan.elapsedS,
    },
    notes: [...scan.notes],
  };
  if (end.ending !== 'exited') return { result, complete };
  if (end.exitCode !== 0) return { result, complete: false, failure: failureOf(end) };
  if (!complete && sound && scan.finished && scan.counts.total === 0) {
    return { result, complete, failure: 'nmap looked at no address: it has no route to any of them.' };
  }
  return { result, complete };
}

function failureOf(end: ToolEnd): string {
  if (/requires root privileges/.test(end.stderrTail)) return 'nmap needed raw packets and did not get them.';
  return `nmap ended with exit code ${end.exitCode ?? 'none'}.`;
}

type Opener = (scan: Scan, element: XmlElement) => void;

/** What an element means when it opens; elements that are not here say nothing that we keep. */
const OPENERS: Readonly<Record<string, Opener | undefined>> = Object.assign(Object.create(null), {
  taskprogress: (scan: Scan, element: XmlElement) => {
    const percent = Number(element.attribute('percent'));
    if (!(percent >= 0 && percent <= 100)) return;
    const remaining = element.attribute('remaining');
    const ended = scan.hosts.length === 0 ? '' : `, ${scan.hosts.length} of ${scan.wanted} addresses ended`;
    scan.emit({
      kind: 'progress',
      percent,
      ...(/^\d{1,9}$/.test(remaining) ? { etaSeconds: Number(remaining) } : {}),
      // Of this step and this group of hosts: nmap knows no share of the whole.
      message: `${cleanText(element.attribute('task'), 60)}${ended}`,
    });
  },
  host: (scan: Scan, element: XmlElement) => {
    closeHost(scan);
    scan.host = {
      address: '',
      names: [],
      mac: '',
      vendor: '',
      state: 'unknown',
      reason: '',
      timedOut: element.attribute('timedout') === 'true',
      ports: [],
      otherPorts: [],
      os: [],
      scripts: [],
    };
  },
  status: ({ host }: Scan, element: XmlElement) => {
    if (host === undefined) return;
    const state = element.attribute('state');
    host.state = state === 'up' || state === 'down' ? state : 'unknown';
    host.reason = word(element.attribute('reason'));
  },
  address: (scan: Scan, element: XmlElement) => {
    if (scan.host === undefined) return;
    const value = element.attribute('addr').toLowerCase();
    if (element.attribute('addrtype') === 'mac') {
      scan.host.mac = /^[0-9a-f:]{17}$/.test(value) ? value : '';
      scan.host.vendor = take(scan, element.attribute('vendor'), 100);
    } else if (/^[0-9a-f.:]{2,45}$/.test(value)) {
      scan.host.address = value;
      scan.host.names = [...(scan.namesByAddress.get(value) ?? [])];
    }
  },
  port: (scan: Scan, element: XmlElement) => {
    scan.port = undefined;
    const port = Number(element.attribute('portid'));
    const protocol = element.attribute('protocol');
    if (!Number.isInteger(port) || port < 0 || port > 65_535 || element.attribute('portid') === '') return;
    if (!/^(tcp|udp|sctp|ip)$/.test(protocol)) return;
    scan.port = { port, protocol, state: 'unknown', reason: '', service: null, scripts: [] };
  },
  state: ({ port }: Scan, element: XmlElement) => {
    if (port === undefined) return;
    port.state = stateOf(element.attribute('state'));
    port.reason = word(element.attribute('reason'));
  },
  service: (scan: Scan, element: XmlElement) => {
    if (scan.port === undefined) return;
    const confidence = Number(element.attribute('conf'));
    scan.port.service = {
      name: take(scan, element.attribute('name'), 100),
      product: take(scan, element.attribute('product'), 300),
      version: take(scan, element.attribute('version'), 300),
      extraInfo: take(scan, element.attribute('extrainfo'), 300),
      tunnel: take(scan, element.attribute('tunnel'), 20),
      confidence: Number.isInteger(confidence) && confidence >= 0 && confidence <= 10 ? confidence : 0,
    };
  },
  script: (scan: Scan, element: XmlElement) => {
    const scripts: NmapScript[] | undefined = scan.port?.scripts ?? scan.host?.scripts;
    if (scripts === undefined || scripts.length >= MAX_SCRIPTS) return;
    scripts.push({
      id: take(scan, element.attribute('id'), 100),
      output: take(scan, element.attribute('output'), 4000),
    });
  },
  extraports: ({ host }: Scan, element: XmlElement) => {
    if (host === undefined || host.otherPorts.length >= 20) return;
    host.otherPorts.push({ state: stateOf(element.attribute('state')), count: count(element, 'count') });
  },
  osmatch: (scan: Scan, element: XmlElement) => {
    const accuracy = Number(element.attribute('accuracy'));
    if (scan.host === undefined || scan.host.os.length >= 10) return;
    if (!Number.isInteger(accuracy) || accuracy < 0 || accuracy > 100) return;
    scan.host.os.push({ name: take(scan, element.attribute('name'), 200), accuracy });
  },
  finished: (scan: Scan, element: XmlElement) => {
    scan.finished = element.attribute('exit') === 'success';
    const elapsedS = Number(element.attribute('elapsed'));
    scan.elapsedS = Number.isFinite(elapsedS) && elapsedS > 0 ? elapsedS : 0;
  },
  hosts: (scan: Scan, element: XmlElement) => {
    scan.counts = { up: count(element, 'up'), down: count(element, 'down'), total: count(element, 'total') };
  },
});

const CLOSERS: Readonly<Record<string, ((scan: Scan) => void) | undefined>> = Object.assign(Object.create(null), {
  port: closePort,
  host: closeHost,
});

function closePort(scan: Scan): void {
  const { host, port } = scan;
  scan.port = undefined;
  if (host === undefined || port === undefined) return;
  scan.ports += 1;
  if (scan.ports > MAX_PORTS) {
    scan.cut = true;
    scan.notes.add(`Only the first ${MAX_PORTS} ports are listed.`);
    return;
  }
  host.ports.push(port);
  if (port.state === 'open') scan.openPorts += 1;
}

function closeHost(scan: Scan): void {
  // A port that was still open in the document when it broke off is not a whole fact: it is left out.
  scan.port = undefined;
  const { host } = scan;
  scan.host = undefined;
  if (host === undefined || host.address === '') return;
  if (scan.hosts.length >= MAX_HOSTS) {
    scan.cut = true;
    scan.notes.add(`Only the first ${MAX_HOSTS} hosts are listed.`);
    return;
  }
  scan.hosts.push(host);
  if (host.timedOut)
    scan.notes.add('At least one host took longer than hostTimeoutS; nmap dropped what it knew of it.');
  tellHost(scan, host);
}

function tellHost(scan: Scan, host: NmapHost): void {
  const open = host.ports.filter((port) => port.state === 'open').map((port) => `${port.port}/${port.protocol}`);
  const shown = open.slice(0, 20).join(', ');
  const ports =
    open.length === 0 ? 'no open port seen' : `${open.length} open: ${shown}${open.length > 20 ? ', …' : ''}`;
  scan.emit({ kind: 'finding', message: `${host.address} is ${host.state}, ${ports}` });
  for (const draft of draftsOfHost(host, scan.pinned)) {
    if (scan.live >= MAX_LIVE) return;
    scan.live += 1;
    scan.emit({ kind: 'finding', message: `${host.address}: ${draft.title}`, draft });
  }
}

function take(scan: Scan, text: string, maxLength: number): string {
  const cleaned = cleanText(text, maxLength);
  scan.textLeft -= cleaned.length;
  if (scan.textLeft >= 0) return cleaned;
  scan.notes.add(TEXTS_LEFT_OUT);
  return '';
}

function count(element: XmlElement, name: string): number {
  const value = Number(element.attribute(name));
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function word(text: string): string {
  return /^[a-z0-9-]{1,50}$/.test(text) ? text : '';
}

function stateOf(text: string): NmapPort['state'] {
  return PORT_STATES.find((state) => state === text) ?? 'unknown';
}
