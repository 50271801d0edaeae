import { type Finding, SEVERITIES, type Severity } from '../../schemas/finding.ts';
import type { Area, ExportSource } from '../core/findings/types.ts';
import { isWhole } from './notices.ts';
import { hostOf } from './place.ts';
import { shortened } from './visible.ts';

/** What a report for people shows at most; the rest is counted in it, and in the JSON and CSV exports. */
export const REPORT_LIMITS = {
  /** Rows of the table of findings. */
  tableRows: 5000,
  /** Findings told per host with their evidence; these are held in memory. */
  detailed: 1000,
  /** Characters of one evidence, and of one attribute. */
  evidence: 4000,
  attribute: 400,
  attributes: 24,
  areas: 200,
} as const;

/** One host with what was found on it, for a chapter of a report. */
export interface HostChapter {
  readonly host: string;
  /** Other names under which findings told of it, at most ten. */
  readonly names: ReadonlySet<string>;
  readonly ports: readonly PortRow[];
  /** Everything but plain open ports and services, which `ports` has. */
  readonly details: readonly Finding[];
}

/** One port of a host with everything that was said of it. */
export interface PortRow {
  readonly port: number;
  readonly protocol: string;
  readonly findings: readonly Finding[];
}

/** Gathers findings by host while they stream by, worst first; what is over the limits is counted, not kept. */
export interface HostGathering {
  /** False, and nothing is kept, when the report is full: reading on would cost the store work for nobody. */
  add(finding: Finding): boolean;
  chapters(): readonly HostChapter[];
  /** Findings that were added. */
  shown(): number;
  /** Findings that are not in the table, and not told per host; from the counts of the run's record. */
  leftOut(): { readonly table: number; readonly details: number };
}

/** An empty gathering for a report of this source. */
export function gatherHosts({ run }: ExportSource): HostGathering {
  const byHost = new Map<string, Finding[]>();
  let shown = 0;
  let isFull = false;
  const more = (): number => (isFull ? Math.max(1, run.findings.total - shown) : 0);
  return {
    add: (finding) => {
      isFull = shown >= REPORT_LIMITS.tableRows;
      if (isFull) return false;
      shown += 1;
      if (shown > REPORT_LIMITS.detailed) return true;
      const host = hostOf(finding);
      const known = byHost.get(host);
      if (known === undefined) byHost.set(host, [bounded(finding)]);
      else known.push(bounded(finding));
      return true;
    },
    chapters: () => [...byHost].map(([host, findings]) => chapterOf(host, findings)),
    shown: () => shown,
    leftOut: () => ({ table: more(), details: Math.max(0, shown - REPORT_LIMITS.detailed) + more() }),
  };
}

/** A finding whose texts are short enough to hold many of them. */
function bounded(finding: Finding): Finding {
  const entries = Object.entries(finding.attributes);
  const kept = entries
    .slice(0, REPORT_LIMITS.attributes)
    .map(([name, value]) => [
      name,
      shortened(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), REPORT_LIMITS.attribute),
    ]);
  const more = entries.length - kept.length;
  return {
    ...finding,
    evidence: shortened(finding.evidence, REPORT_LIMITS.evidence),
    attributes: Object.fromEntries(more === 0 ? kept : [...kept, ['…', `${more} more attributes are left out here`]]),
  };
}

function chapterOf(host: string, findings: readonly Finding[]): HostChapter {
  const names = new Set<string>();
  const ports = new Map<string, Finding[]>();
  for (const finding of findings) {
    if (finding.target !== host && names.size < 10) names.add(finding.target);
    if (!isPortLike(finding) || finding.port === undefined) continue;
    const key = `${finding.port}/${finding.protocol ?? 'tcp'}`;
    ports.set(key, [...(ports.get(key) ?? []), finding]);
  }
  return { host, names, ports: portRows(ports), details: findings.filter(needsDetail) };
}

function portRows(ports: ReadonlyMap<string, readonly Finding[]>): PortRow[] {
  const rows = [...ports].map(([key, findings]) => {
    const [port, protocol = 'tcp'] = key.split('/');
    return { port: Number(port), protocol, findings };
  });
  return rows.sort((a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port);
}

function isPortLike({ kind }: Finding): boolean {
  return kind === 'port' || kind === 'service';
}

function needsDetail(finding: Finding): boolean {
  return !isPortLike(finding) || finding.port === undefined || finding.severity !== 'info' || finding.evidence !== '';
}

/** The facts of a run as label and value, in the order in which a reader asks for them. */
export function factsOf({ run, exportedAt }: ExportSource): readonly (readonly [label: string, value: string])[] {
  const targets = run.targets.map(({ given, addresses }) => {
    const others = addresses.filter((address) => address !== given);
    return others.length === 0 ? given : `${given} (${others.join(', ')})`;
  });
  return [
    ['Targets', targets.join(', ')],
    ['Tool', run.toolVersion === null ? run.tool : `${run.tool} ${run.toolVersion}`],
    ['State', stateLabel(run.state)],
    ['Looked at everything', run.complete ? 'yes' : 'no'],
    ['Started', run.startedAt === null ? 'not started' : timeLabel(run.startedAt)],
    ['Ended', run.endedAt === null ? 'not ended' : timeLabel(run.endedAt)],
    ['Duration', durationLabel(run.durationMs)],
    ['Engagement', run.engagement ?? 'none'],
    ['Risk', run.risk],
    ['Run by', run.owner],
    ['Run', run.runId],
    ['Exported', timeLabel(exportedAt)],
  ];
}

/** A state in words. */
export function stateLabel(state: string): string {
  return state.replaceAll('_', ' ');
}

/** Title of a report; it says at once when the run is not whole. */
export function titleOf(source: ExportSource): string {
  return `Scan report: ${source.run.tool}${isWhole(source) ? '' : ' – INCOMPLETE'}`;
}

/** Last line of a report: how many findings it shows, and how many the record of the run counts when that is another number. */
export function endOf({ run }: ExportSource, shown: number): string {
  const other = run.findings.total === shown ? '' : `; the record of the run counts ${run.findings.total}`;
  return `End of the report: ${shown} findings${other}.`;
}

/** How many findings of each severity the record counts, worst first. */
export function countsOf({ run }: ExportSource): readonly (readonly [severity: Severity, count: number])[] {
  return SEVERITIES.toReversed().map((severity) => [severity, run.findings.bySeverity[severity] ?? 0]);
}

/** One line for a part of what was looked at to its end. */
export function areaLabel({ kinds, network, protocol, ports, subject, method }: Area): string {
  const ranges = ports?.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ');
  return [
    [subject, network].filter((text) => text !== undefined).join(' '),
    ranges === undefined ? protocol : `${protocol ?? ''} ports ${shortened(ranges, REPORT_LIMITS.attribute)}`.trim(),
    `for ${kinds.map((kind) => kind.replaceAll('_', ' ')).join(', ')}`,
    method === undefined ? undefined : `by ${method}`,
  ]
    .filter((text) => text !== undefined && text !== '')
    .join(', ');
}

function timeLabel(time: string): string {
  return time.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/, '$1 $2 UTC');
}

function durationLabel(durationMs: number): string {
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${(durationMs / 1000).toFixed(1)} s`;
  const parts = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
