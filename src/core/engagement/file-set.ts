import type { InputFault } from '../tool/input-validator.ts';
import { DEFAULT_ID, type Held } from './book.ts';
import { compileEngagement, type MakePolicy } from './compile.ts';

/** One file of the directory, as it was read. */
export interface EngagementFile {
  /** Its path, for messages and for the history. */
  readonly file: string;
  readonly document: unknown;
  /** The line, from 1, at which the value of a JSON Pointer is written. */
  readonly lineOf: (pointer: string) => number | undefined;
}

/** A whole directory, or why it cannot be read. Notices are about the files themselves, such as who may write them. */
export type EngagementFiles =
  | { readonly documents: readonly EngagementFile[]; readonly notices: readonly string[] }
  | { readonly faults: readonly string[] };

/** What files are compiled with. */
export interface FileRules {
  readonly makePolicy: MakePolicy;
  /** Whether an engagement of this id was put by REST. */
  readonly isTaken: (id: string) => boolean;
}

/** All engagements of a directory, or every fault of it with file, line and reason: one wrong file is none right. */
export function compileFiles(
  files: EngagementFiles,
  { makePolicy, isTaken }: FileRules,
): { readonly held: readonly Held[] } | { readonly faults: readonly string[] } {
  if ('faults' in files) return files;
  const faults: string[] = [];
  const held = new Map<string, Held>();
  for (const each of files.documents) {
    const compiled = compileEngagement(each.document, { source: 'file', makePolicy });
    if ('faults' in compiled) {
      faults.push(...compiled.faults.map((fault) => sentenceOf(each, fault)));
      continue;
    }
    const { engagement } = compiled;
    const clash = clashOf(engagement.id, { other: held.get(engagement.id), isTaken });
    if (clash === undefined) held.set(engagement.id, { engagement, by: each.file });
    else faults.push(sentenceOf(each, { path: '/id', message: clash }));
  }
  return faults.length === 0 ? { held: [...held.values()] } : { faults };
}

function clashOf(
  id: string,
  { other, isTaken }: { readonly other: Held | undefined; readonly isTaken: (id: string) => boolean },
): string | undefined {
  if (other !== undefined) return `${id} is also the id in ${other.by}; give one of them another id`;
  if (id === DEFAULT_ID) return `${id} belongs to the configuration (policy); choose another id`;
  return isTaken(id) ? `${id} was also put by REST; remove that one, or choose another id` : undefined;
}

const UNKNOWN_PROPERTY = /^has an unknown property ("(?:[^"\\]|\\.)*")$/;

function sentenceOf({ file, lineOf }: EngagementFile, { path, message }: InputFault): string {
  const [, quoted] = UNKNOWN_PROPERTY.exec(message) ?? [];
  const name =
    quoted === undefined ? '' : `/${(JSON.parse(quoted) as string).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const line = lineOf(`${path}${name}`);
  const place = path === '' ? '' : `${path.slice(1).replaceAll('/', '.')} `;
  return `${file}${line === undefined ? '' : `:${line}`}: ${place}${message}`;
}
