import { type Static, Type } from '@sinclair/typebox';
import type { ParseInput, ParseOutcome, ToolEnd, ToolParser } from '../../core/tool/definition.ts';
import { createLineReader } from '../../core/tool/lines.ts';
import { draftOfPort } from './findings.ts';

const MAX_FOUND = 20_000;
const MAX_LINE = 2048;
/** Facts told while the scan runs; the result has them all. */
const MAX_LIVE = 5000;

const closed = { additionalProperties: false } as const;

/** What a masscan run tells. */
export const MasscanResultSchema = Type.Object(
  {
    hosts: Type.Array(
      Type.Object(
        {
          address: Type.String({ maxLength: 45 }),
          ports: Type.Array(
            Type.Object(
              {
                port: Type.Integer({ minimum: 0, maximum: 65_535 }),
                protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
                state: Type.Literal('open'),
                reason: Type.String({ maxLength: 50 }),
                ttl: Type.Integer({ minimum: 0, maximum: 255 }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    stats: Type.Object(
      {
        hosts: Type.Integer({ minimum: 0, description: 'Addresses with an open port.' }),
        openPorts: Type.Integer({ minimum: 0 }),
        percentSent: Type.Number({ minimum: 0, maximum: 100, description: 'How much of the scan had been sent.' }),
      },
      closed,
    ),
    notes: Type.Array(Type.String({ maxLength: 200 }), { description: 'What is missing or was cut, and why.' }),
  },
  closed,
);
export type MasscanResult = Static<typeof MasscanResultSchema>;
type Port = MasscanResult['hosts'][number]['ports'][number];

interface Scan {
  readonly ports: Map<string, Map<string, Port>>;
  readonly notes: Set<string>;
  readonly emit: ParseInput<unknown>['emit'];
  found: number;
  /** Open ports that masscan says it has seen. */
  announced: number;
  percent: number;
  cut: boolean;
}

/** Reads `masscan -oD -` (one JSON object in each line, masscan 1.3.2) and the status lines on stderr. */
export function parseMasscan(input: ParseInput<unknown>): ToolParser<MasscanResult> {
  const scan: Scan = {
    ports: new Map(),
    notes: new Set(),
    emit: (event) => input.emit(event),
    found: 0,
    announced: 0,
    percent: 0,
    cut: false,
  };
  const records = createLineReader(MAX_LINE, (line) => takeRecord(scan, line));
  const status = createLineReader(MAX_LINE, (line) => takeStatus(scan, line));
  return {
    stdout: (chunk) => records.push(chunk),
    stderr: (chunk) => status.push(chunk),
    end: (end) => {
      records.end();
      status.end();
      return conclude(scan, end);
    },
  };
}

function takeRecord(scan: Scan, line: string): void {
  const record = readRecord(line);
  if (record === undefined) {
    scan.cut = true;
    scan.notes.add('A line was not in the form that masscan writes and was left out.');
    return;
  }
  if (record === 'other') return;
  const ports = scan.ports.get(record.address) ?? new Map<string, Port>();
  const key = `${record.port.port}/${record.port.protocol}`;
  if (ports.has(key)) return;
  if (scan.found >= MAX_FOUND) {
    scan.cut = true;
    scan.notes.add(`Only the first ${MAX_FOUND} open ports are listed.`);
    return;
  }
  scan.found += 1;
  scan.ports.set(record.address, ports.set(key, record.port));
  scan.emit({
    kind: 'finding',
    message: `${record.address} ${key} is open`,
    ...(scan.found > MAX_LIVE ? {} : { draft: draftOfPort(record.address, record.port) }),
  });
}

function readRecord(line: string): { address: string; port: Port } | 'other' | undefined {
  // A thrown error for each of a million junk lines would cost seconds.
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // A line cut by the size limit or by the end of the process; the caller notes it.
    return undefined;
  }
  const { ip, port, proto, rec_type: kind, data } = fields(value);
  if (typeof ip !== 'string' || !/^[0-9a-f.:]{2,45}$/.test(ip)) return undefined;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) return undefined;
  const { status, reason, ttl } = fields(data);
  if (kind !== 'status' || status !== 'open' || (proto !== 'tcp' && proto !== 'udp')) return 'other';
  return {
    address: ip,
    port: {
      port,
      protocol: proto,
      state: 'open',
      reason: typeof reason === 'string' && /^[a-z0-9-]{1,50}$/.test(reason) ? reason : '',
      ttl: typeof ttl === 'number' && Number.isInteger(ttl) && ttl >= 0 && ttl <= 255 ? ttl : 0,
    },
  };
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function takeStatus(scan: Scan, line: string): void {
  const read = /^rate:\s+([\d.]{1,9})-kpps,\s+([\d.]{1,6})% done,(.*)\bfound=(\d{1,9})/.exec(line);
  if (read === null) return;
  const [, kpps, share, rest = '', found] = read;
  const percent = Number(share);
  if (!(percent >= 0 && percent <= 100)) return;
  scan.percent = Math.max(scan.percent, percent);
  scan.announced = Math.max(scan.announced, Number(found));
  const ratePerSecond = Number(kpps) * 1000;
  const etaSeconds = secondsLeft(rest);
  scan.emit({
    kind: 'progress',
    percent: scan.percent,
    // Below 5 packets per second masscan shows 0.00.
    ...(ratePerSecond > 0 ? { ratePerSecond } : {}),
    ...(etaSeconds === undefined ? {} : { etaSeconds }),
    message: `${scan.announced} open so far`,
  });
}

/** `0:01:07 remaining` while it sends, `waiting 3-secs` for late answers after that. */
function secondsLeft(text: string): number | undefined {
  const sending = /^ +(\d{1,6}):(\d\d):(\d\d) remaining,/.exec(text);
  if (sending !== null) return Number(sending[1]) * 3600 + Number(sending[2]) * 60 + Number(sending[3]);
  const waiting = /^ waiting (\d{1,6})-secs,/.exec(text);
  return waiting === null ? undefined : Number(waiting[1]);
}

function conclude(scan: Scan, end: ToolEnd): ParseOutcome<MasscanResult> {
  const { notes } = scan;
  const ended = end.ending === 'exited' && end.exitCode === 0;
  // masscan 1.3.2 writes what it found late and can hang without having written anything: silence is not "closed".
  const silent = scan.found < scan.announced;
  if (!ended)
    notes.add('masscan did not finish: ports that are not listed were not looked at, or their answer was lost.');
  if (silent) notes.add('masscan counted more open ports than it wrote down.');
  if (ended && scan.percent < 100) notes.add('masscan did not report that it had sent everything.');
  const hosts = [...scan.ports].map(([address, ports]) => ({
    address,
    ports: [...ports.values()].sort((a, b) => a.port - b.port),
  }));
  const result: MasscanResult = {
    hosts: hosts.sort((a, b) => (a.address < b.address ? -1 : 1)),
    stats: { hosts: hosts.length, openPorts: scan.found, percentSent: scan.percent },
    notes: [...notes],
  };
  const complete = ended && !silent && !scan.cut && !end.stdoutTruncated && scan.percent === 100;
  if (end.ending !== 'exited' || end.exitCode === 0) return { result, complete };
  return { result, complete: false, failure: failureOf(end) };
}

function failureOf(end: ToolEnd): string {
  if (/interface|router|adapter|ARP/i.test(end.stderrTail)) {
    return 'masscan could not find its network interface, address or router: set execution.raw.interface, adapterIp and routerMac.';
  }
  if (/permission|sudo|root|not permitted/i.test(end.stderrTail))
    return 'masscan needed raw packets and did not get them.';
  return `masscan ended with exit code ${end.exitCode ?? 'none'}.`;
}
