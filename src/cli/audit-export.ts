import { type FileHandle, open, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AUDIT_FORMATS } from '../../schemas/audit-query.ts';
import { type AuditExport, exportText } from '../core/audit/export.ts';
import { readPage } from '../core/audit/page.ts';
import { systemClock } from '../core/clock.ts';
import type { Store } from '../core/store/types.ts';
import { VERSION } from '../version.ts';
import { type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { withStore } from './open-store.ts';
import { printable } from './printable.ts';

/** `audit export --format jsonl|ocsf`: every record, or those since a moment, one JSON text in each line. */
export async function exportAudit(context: CommandContext): Promise<number> {
  const { values, positionals } = parseOptions(context.args, {
    format: { type: 'string', short: 'f' },
    output: { type: 'string', short: 'o' },
    since: { type: 'string' },
  });
  requireNoWords(positionals);
  const format = AUDIT_FORMATS.find((known) => known === values.format);
  if (format === undefined) throw usageError(`--format takes ${AUDIT_FORMATS.join(' or ')}.`);
  if (values.output === '') throw usageError('--output takes the name of a file.');
  const wanted = { format, version: VERSION, since: values.since === undefined ? undefined : sinceOf(values.since) };
  const path = values.output === undefined ? undefined : resolve(context.cwd, values.output);
  return withStore(
    context,
    (store) => (path === undefined ? print(store, wanted, context) : save(store, wanted, { path, context })),
    {
      readOnly: true,
    },
  );
}

async function textOf(store: Store, wanted: AuditExport): Promise<AsyncGenerator<string>> {
  const last = (await store.audit.last())?.seq ?? 0;
  return exportText({ page: (query) => readPage(store.audit, query, last), lastSeq: () => last }, wanted);
}

async function print(store: Store, wanted: AuditExport, { write, screen }: CommandContext): Promise<number> {
  for await (const text of await textOf(store, wanted)) {
    // JSON escapes controls, but not what a terminal draws in another order.
    await write(Buffer.from(screen.isOutTerminal ? printable(text) : text));
  }
  return EXIT.ok;
}

async function save(store: Store, wanted: AuditExport, to: { path: string; context: CommandContext }): Promise<number> {
  const { path, context } = to;
  let file: FileHandle;
  try {
    // New and for its owner alone: an existing file, or a link, is never written to.
    file = await open(path, 'wx', 0o600);
  } catch (thrown) {
    context.err(`sallyport: ${path} cannot be made (${(thrown as NodeJS.ErrnoException).code}); nothing was written`);
    return EXIT.failed;
  }
  try {
    for await (const text of await textOf(store, wanted)) await file.appendFile(text);
    await file.sync();
  } catch (thrown) {
    // What is left must not look like a whole one.
    await unlink(path);
    throw thrown;
  } finally {
    await file.close();
  }
  return EXIT.ok;
}

/** A duration back from now, or an ISO 8601 date. */
function sinceOf(text: string): number {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return systemClock.now() - parseDuration(text);
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw usageError(`'${text}' is no date; write 2027-01-31 or 2027-01-31T12:00:00Z.`);
  return moment;
}
