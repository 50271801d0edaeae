import type { Run } from '../../schemas/run-record.ts';
import { SallyportError } from '../core/errors.ts';
import type { ExportSource } from '../core/findings/types.ts';
import { writeCsv } from './csv.ts';
import { writeDefectDojo } from './defectdojo.ts';
import { writeHtml } from './html.ts';
import { writeJson } from './json.ts';
import { writeMarkdown } from './markdown.ts';
import { writeSarif } from './sarif.ts';

/** Every format that a run can be exported in. */
export const EXPORT_FORMATS = ['json', 'csv', 'sarif', 'defectdojo', 'markdown', 'html'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

interface FormatRow {
  readonly extension: string;
  readonly mediaType: string;
  readonly write: (source: ExportSource) => AsyncGenerator<string>;
}

const FORMATS: Readonly<Record<ExportFormat, FormatRow>> = {
  json: { extension: 'json', mediaType: 'application/json; charset=utf-8', write: writeJson },
  csv: { extension: 'csv', mediaType: 'text/csv; charset=utf-8; header=present', write: writeCsv },
  sarif: { extension: 'sarif', mediaType: 'application/sarif+json', write: writeSarif },
  defectdojo: {
    extension: 'defectdojo.json',
    mediaType: 'application/json; charset=utf-8',
    write: writeDefectDojo,
  },
  markdown: { extension: 'md', mediaType: 'text/markdown; charset=utf-8', write: writeMarkdown },
  html: { extension: 'html', mediaType: 'text/html; charset=utf-8', write: writeHtml },
};

const CHUNK_LENGTH = 16_384;

/** The text of an export in parts of about 16 KiB; findings are read as the parts are taken. */
export async function* exportText(format: ExportFormat, source: ExportSource): AsyncGenerator<string> {
  let chunk = '';
  for await (const text of FORMATS[format].write(source)) {
    chunk += text;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

/** Media type of a format (RFC 9110, RFC 4180, RFC 7763). */
export function mediaTypeOf(format: ExportFormat): string {
  return FORMATS[format].mediaType;
}

/** Name of the file: `sallyport-<tool>-<run>.<extension>`. Throws when a record has an id that cannot stand in a header. */
export function exportFileName(format: ExportFormat, { tool, runId }: Pick<Run, 'tool' | 'runId'>): string {
  const name = `sallyport-${tool}-${runId}.${FORMATS[format].extension}`;
  // A quote or a line break in it would be another header (CWE-113), a slash another directory.
  if (!/^[A-Za-z0-9_-]+(\.[a-z]+)+$/.test(name)) throw new SallyportError('ERR_INTERNAL', 'The run has no usable id.');
  return name;
}
