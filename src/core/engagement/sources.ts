import type { EngagementVersion } from '../../../schemas/engagement.ts';
import type { Audit, AuditEvent } from '../audit/types.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { InputFault } from '../tool/input-validator.ts';
import { type Book, DEFAULT_ID, type Held, type Unusable } from './book.ts';
import { compileEngagement, type Compiled, type MakePolicy } from './compile.ts';
import { compileFiles, type EngagementFiles } from './file-set.ts';
import type { EngagementHistory } from './history.ts';
import { EVERYBODY } from './principals.ts';
import type { EngagementSource } from './types.ts';

/** What the changes that come without a request are made with. */
export interface SourceParts {
  readonly book: Book;
  readonly history: EngagementHistory;
  readonly audit: Pick<Audit, 'append' | 'note'>;
  readonly log: Log;
  readonly makePolicy: MakePolicy;
  readonly configured: () => unknown;
}

/** The files and the configuration as they change. */
export interface Sources {
  setFiles(files: EngagementFiles): Promise<void>;
  reconfigure(): void;
  /** Tries again what the audit or the store refused. */
  retry(): Promise<void>;
  /** Why the directory that is in force is not the one on the disk. */
  faults(): readonly string[];
}

const EMPTY =
  'the directory of engagements holds none any more, as after a lost mount; those of before stay: restart to drop them all';

/** Follows the files and the configuration; what is wrong changes nothing. */
export function createSources(parts: SourceParts): Sources {
  const { book, history, audit, log, makePolicy, configured } = parts;
  let faults: readonly string[] = [];
  let waiting: EngagementFiles | undefined;
  const reject = (found: readonly string[], cause?: unknown): void => {
    faults = found;
    log.error('engagement.rejected', { faults: found, ...(cause !== undefined && { error: cause }) });
  };
  const setFiles = async (files: EngagementFiles): Promise<void> => {
    waiting = undefined;
    const compile = () => compileFiles(files, { makePolicy, isTaken: (id) => isOfRest(book, id) });
    const read = compile();
    if ('faults' in read) return reject(read.faults);
    const before = heldBy(book, 'file');
    // A lost mount looks like a directory without files, and everybody whom those named would fall back to `default`.
    if (read.held.length === 0 && before.length > 0) return reject([EMPTY]);
    const events = changesOf(before, read.held);
    try {
      for (const event of events) await audit.append(event);
    } catch (cause) {
      waiting = files;
      return reject(['the change of the files cannot be written to the audit; it is tried again'], cause);
    }
    // The configuration may have been reloaded meanwhile: a policy without its new denials must not come into force.
    const fresh = compile();
    if ('faults' in fresh) return reject(fresh.faults);
    faults = [];
    if (events.length === 0) return;
    book.change({ sources: { file: fresh.held } });
    for (const { type, engagement, data } of events)
      log.info('engagement.changed', { change: type, engagement, ...data });
    await history.record(events.flatMap(({ engagement }) => engagement ?? []));
  };
  return {
    setFiles,
    reconfigure: () => reconfigure(book, makePolicy, configured()),
    retry: async () => {
      if (waiting !== undefined) await setFiles(waiting);
      await history.record();
    },
    faults: () => faults,
  };
}

/** The engagement `default`; nothing when the configuration offers none. */
export function compileConfigured(
  document: unknown,
  makePolicy: MakePolicy,
): { readonly held: readonly Held[] } | { readonly faults: readonly string[] } {
  if (document === undefined) return { held: [] };
  const compiled = compileEngagement(document, { source: 'configuration', makePolicy });
  if ('faults' in compiled) return { faults: compiled.faults.map((fault) => `policy: ${sentenceOf(fault)}`) };
  if (compiled.engagement.id === DEFAULT_ID)
    return { held: [{ engagement: compiled.engagement, by: 'configuration' }] };
  return { faults: [`policy: its engagement must have the id ${DEFAULT_ID}`] };
}

/** What REST put in an earlier life of the gateway; a document that no longer fits is kept out and told. */
export function compileStored(
  versions: readonly EngagementVersion[],
  makePolicy: MakePolicy,
): { readonly held: readonly Held[]; readonly unusable: ReadonlyMap<string, Unusable> } {
  const held: Held[] = [];
  const unusable = new Map<string, Unusable>();
  for (const { id, by, document } of versions) {
    const compiled = compileEngagement(document, { source: 'rest', makePolicy });
    if ('engagement' in compiled && compiled.engagement.id === id) held.push({ engagement: compiled.engagement, by });
    else unusable.set(id, { principals: namesIn(document), fault: faultOf(compiled) });
  }
  return { held, unusable };
}

/** A document that cannot be read names everybody: nobody gets `default` because a narrower rule was lost. */
function namesIn(document: unknown): readonly string[] {
  const names = (document as { principals?: unknown } | null)?.principals;
  const isList = Array.isArray(names) && names.every((name) => typeof name === 'string');
  return isList ? names : [EVERYBODY];
}

function reconfigure(book: Book, makePolicy: MakePolicy, document: unknown): void {
  const faults: string[] = [];
  const again = (source: EngagementSource): readonly Held[] =>
    heldBy(book, source).flatMap(({ engagement, by }) => {
      const compiled = compileEngagement(engagement.document, { source, makePolicy });
      if ('engagement' in compiled) return [{ engagement: compiled.engagement, by }];
      faults.push(`engagement ${engagement.id}: ${faultOf(compiled)}`);
      return [];
    });
  const read = compileConfigured(document, makePolicy);
  if ('faults' in read) faults.push(...read.faults);
  const sources = { configuration: 'held' in read ? read.held : [], file: again('file'), rest: again('rest') };
  if (faults.length > 0) {
    throw new SallyportError('ERR_CONFIG_INVALID', faults.join('; '), { details: { faults } });
  }
  book.change({ sources });
}

function heldBy(book: Book, source: EngagementSource): readonly Held[] {
  return book.all().filter((held) => held.engagement.source === source);
}

function isOfRest(book: Book, id: string): boolean {
  return book.get(id)?.engagement.source === 'rest' || book.unusable().has(id);
}

/** One record for each engagement that comes, changes or goes. */
function changesOf(before: readonly Held[], after: readonly Held[]): readonly AuditEvent[] {
  const old = new Map(before.map(({ engagement }) => [engagement.id, engagement.version]));
  const now = new Set(after.map(({ engagement }) => engagement.id));
  const puts = after.flatMap(({ engagement: { id, version }, by }): AuditEvent[] => {
    const known = old.get(id);
    if (known === version) return [];
    const data = { source: 'file', by, before: known ?? null, after: version };
    return [{ type: 'engagement.put', engagement: id, data }];
  });
  const removals = before.flatMap(({ engagement: { id, version }, by }): AuditEvent[] => {
    if (now.has(id)) return [];
    return [{ type: 'engagement.removed', engagement: id, data: { source: 'file', by, before: version, after: null } }];
  });
  return [...puts, ...removals];
}

function faultOf(compiled: Compiled): string {
  return 'faults' in compiled
    ? compiled.faults.map(sentenceOf).join('; ')
    : 'its id is another one than that of its document';
}

function sentenceOf({ path, message }: InputFault): string {
  return `${path === '' ? '' : `${path} `}${message}`;
}
