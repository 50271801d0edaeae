import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Anchor, AuditFile, AuditFileEnd } from '../core/audit/types.ts';
import { canonicalText } from '../core/audit/canonical.ts';
import { SallyportError } from '../core/errors.ts';
import { syncDirectory } from './atomic-file.ts';
import { readFileEnd, readLines, placeAfter } from './audit-lines.ts';

/** Where the files of the audit are. */
export function auditPaths(dataDir: string) {
  const directory = join(dataDir, 'audit');
  return {
    directory,
    records: join(directory, 'audit.jsonl'),
    checkpoints: join(directory, 'checkpoints.jsonl'),
    key: join(directory, 'key.pem'),
  };
}

/** The JSON Lines file of a data directory and that of its checkpoints; nothing is opened yet. */
export function createAuditFile(dataDir: string): AuditFile {
  const paths = auditPaths(dataDir);
  const records = new LineFile(paths.records);
  const checkpoints = new LineFile(paths.checkpoints);
  return {
    open: async () => {
      await mkdir(paths.directory, { recursive: true, mode: 0o700 });
      const ofCheckpoints = await checkpoints.open();
      const ofRecords = await records.open();
      syncDirectory(paths.directory);
      return { last: ofRecords.last, cutBytes: ofRecords.cutBytes + ofCheckpoints.cutBytes };
    },
    append: (lines) => records.append(lines),
    after: async function* (seq) {
      const start = await placeAfter(paths.records, seq);
      for await (const { text } of readLines(paths.records, start)) if (seqOf(text) > seq) yield text;
    },
    addCheckpoint: (line) => checkpoints.append([line]),
    lastCheckpoint: async () => checkpoints.last,
    close: async () => {
      await records.close();
      await checkpoints.close();
    },
  };
}

/** An anchor that appends each checkpoint to a file outside of the data directory, best on another machine's disk. */
export function createAnchorFile(path: string): Anchor & { readonly close: () => Promise<void> } {
  const file = new LineFile(path);
  return {
    kind: 'file',
    send: async (checkpoint) => {
      // Opened for each: a mount that comes back later is another file, and between two checkpoints nothing is held.
      await file.open();
      await file.append([canonicalText(checkpoint)]);
      await file.close();
    },
    close: () => file.close(),
  };
}

/** A file of whole lines, appended to by us alone. */
class LineFile {
  private readonly path: string;
  private handle: FileHandle | undefined;
  private size = 0;
  last: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async open(): Promise<AuditFileEnd> {
    await this.close();
    // A link planted under this name is not followed; O_APPEND: not even we can write over what is there.
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    const handle = await open(this.path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    this.handle = handle;
    requireOwn(await handle.stat());
    const { last, size, wholeBytes } = await readFileEnd(handle);
    if (size > wholeBytes) {
      await handle.truncate(wholeBytes);
      await handle.sync();
    }
    this.size = wholeBytes;
    this.last = last;
    return { last, cutBytes: size - wholeBytes };
  }

  async append(lines: readonly string[]): Promise<void> {
    const { handle } = this;
    if (handle === undefined) throw changed('is not open');
    await this.requireSame(handle);
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8');
    await handle.appendFile(bytes);
    await handle.datasync();
    this.size += bytes.length;
    this.last = lines.at(-1) ?? this.last;
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close();
  }

  /** Written into a removed file, everything would be acknowledged and nothing would be there; after a foreign line, the chain would be torn. */
  private async requireSame(handle: FileHandle): Promise<void> {
    const [own, named] = await Promise.all([handle.stat(), stat(this.path)]);
    if (own.dev !== named.dev || own.ino !== named.ino) throw changed('was removed or replaced');
    if (own.size !== this.size) throw changed('was changed by somebody else');
  }
}

function requireOwn(stats: Stats): void {
  if (!stats.isFile()) throw changed('is no regular file');
  // Whoever may write it can take the record of what he did out of it.
  if (stats.uid !== process.geteuid?.()) throw changed('belongs to another user');
  if ((stats.mode & 0o022) !== 0) throw changed('can be written by others; chmod 600');
}

function changed(how: string): SallyportError {
  return new SallyportError('ERR_AUDIT_UNAVAILABLE', `A file of the audit ${how}.`, { details: { rule: 'audit' } });
}

function seqOf(line: string): number {
  try {
    const { seq } = JSON.parse(line) as { readonly seq?: unknown };
    // What cannot be read is given on: the reader names it.
    return typeof seq === 'number' ? seq : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
