import type { Finding } from '../../schemas/finding.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { noticesOf } from './notices.ts';
import { attributesOf } from './place.ts';
import { visible } from './visible.ts';

/** Columns of the CSV export, in order. */
export const CSV_COLUMNS = [
  'record',
  'run_id',
  'tool',
  'run_state',
  'run_complete',
  'severity',
  'kind',
  'target',
  'address',
  'port',
  'protocol',
  'title',
  'confidence',
  'evidence',
  'references',
  'attributes',
  'first_seen',
  'last_seen',
  'fingerprint',
] as const;
type Column = (typeof CSV_COLUMNS)[number];
type Row = Partial<Record<Column, string | number>>;

/**
 * RFC 4180 with a header line, one line per record: one `run`, every `notice`, every `finding`, and one `end` with
 * their count, so that a file that was cut off shows. Safe to open in a spreadsheet.
 */
export async function* writeCsv(source: ExportSource): AsyncGenerator<string> {
  const { run } = source;
  const ofRun = { run_id: run.runId, tool: run.tool, run_state: run.state, run_complete: String(run.complete) };
  const line = (row: Row): string => csvLine(CSV_COLUMNS.map((column) => row[column] ?? ''));
  yield csvLine(CSV_COLUMNS);
  const whole = run.state === 'succeeded' && run.complete;
  yield line({
    record: 'run',
    ...ofRun,
    target: run.targets.map(({ given }) => given).join(' '),
    title: `${run.tool} ${run.state}${whole ? '' : ' (INCOMPLETE)'}, exported at ${source.exportedAt}`,
  });
  for (const { level, text } of noticesOf(source))
    yield line({ record: 'notice', ...ofRun, title: `${level}: ${text}` });
  let count = 0;
  for await (const finding of source.findings()) {
    yield line({ record: 'finding', ...ofRun, ...columnsOf(finding) });
    count += 1;
  }
  yield line({ record: 'end', ...ofRun, title: `${count} findings` });
}

function columnsOf(finding: Finding): Row {
  return {
    severity: finding.severity,
    kind: finding.kind,
    target: finding.target,
    address: finding.address ?? '',
    port: finding.port ?? '',
    protocol: finding.protocol ?? '',
    title: finding.title,
    confidence: finding.confidence,
    evidence: finding.evidence,
    references: finding.references.join(' '),
    attributes: attributesOf(finding)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; '),
    first_seen: finding.firstSeen,
    last_seen: finding.lastSeen,
    fingerprint: finding.fingerprint,
  };
}

// A banner `=cmd|'/C calc'!A0` would run as a formula or start a program over DDE when the file is opened (CWE-1236,
// OWASP "CSV Injection"). The apostrophe makes a spreadsheet take the cell for text. It is also set behind separators and
// quotes, because a spreadsheet of another locale splits at `;` and then sees the middle of our cell as a cell's beginning.
const FORMULA = /(^|[,;|"])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** One record of quoted fields with CRLF; line breaks and tabs inside a field show as escapes. */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

function csvField(value: string | number): string {
  if (typeof value === 'number') return `"${value}"`;
  return `"${visible(value).replace(FORMULA, "$1$2'").replaceAll('"', '""')}"`;
}
