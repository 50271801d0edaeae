import { type FileHandle, open, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { GatewayReply } from './client.ts';
import { type Command, type CommandContext, EXIT, parseOptions, requireNoWords, usageError } from './command.ts';
import { printable } from './printable.ts';
import { isOver } from './run-report.ts';
import { INTERRUPTED, isRecord, KEY_FILE, openSession, readRun, reportFailure, runPath } from './session.ts';

/** `export RUN --format F`: the run as a file of another system, or as a report. */
export const exportRun: Command = async (context) => {
  const { values, positionals } = parseOptions(context.args, {
    format: { type: 'string', short: 'f' },
    output: { type: 'string', short: 'o' },
    ...KEY_FILE,
  });
  const [runId, ...rest] = positionals;
  if (runId === undefined) throw usageError("export takes the id of a run; 'runs' lists them.");
  requireNoWords(rest);
  const { format, output } = values;
  // Which formats there are, the gateway says.
  if (format === undefined || !/^[a-z0-9]{1,32}$/.test(format)) {
    throw usageError('--format takes json, csv, sarif, defectdojo, markdown or html.');
  }
  if (output === '') throw usageError('--output takes the name of a file.');
  const path = runPath(runId, `/export?format=${format}`);
  const session = await openSession(context, values['key-file']);
  const record = await readRun(session, runId);
  if (!isRecord(record)) return reportFailure(record, context);
  if (!isOver(record)) context.err(`sallyport: the run is ${record.state}: this export is of what is known now`);
  else if (!record.complete) context.err(`sallyport: the run is incomplete (${record.state}), and the export says so`);
  const opened = await session.open({ method: 'GET', path, headers: { accept: '*/*' }, signal: context.signal });
  if (opened.kind !== 'stream') return reportFailure(opened, context);
  const target = output === undefined ? standardOutput(context) : await newFile(resolve(context.cwd, output));
  return target.kind === 'refused' ? refuse(target.why, context) : copy(opened.body, target, context);
};

/** Where an export goes. `giveUp` leaves nothing behind that looks like a whole one. */
interface Target {
  readonly kind: 'target';
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<void>;
  readonly giveUp: () => Promise<void>;
}

interface Refused {
  readonly kind: 'refused';
  readonly why: string;
}

async function copy(from: AsyncIterable<Uint8Array>, to: Target, context: CommandContext): Promise<number> {
  const reading = from[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await readNext(reading);
      if ('kind' in next) return await giveUp(context.signal.aborted ? { kind: 'cancelled' } : next, to, context);
      if (next.done === true) break;
      await to.write(next.value);
    }
    await to.finish();
    return EXIT.ok;
  } catch (thrown) {
    await reading.return?.();
    await to.giveUp();
    return refuse(`the export could not be written (${reasonOf(thrown)})`, context);
  }
}

/** What breaks while it is read is the gateway's, and not to be taken for a full disk. */
async function readNext(reading: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array> | GatewayReply> {
  try {
    return await reading.next();
  } catch (thrown) {
    return { kind: 'unreachable', reason: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

async function giveUp(reply: GatewayReply, to: Target, context: CommandContext): Promise<number> {
  await to.giveUp();
  context.err('sallyport: the export is not whole');
  return reply.kind === 'cancelled' ? INTERRUPTED : reportFailure(reply, context);
}

function refuse(why: string, { err }: CommandContext): number {
  err(`sallyport: ${why}`);
  return EXIT.failed;
}

const nothing = async (): Promise<void> => undefined;

function standardOutput({ write, screen }: CommandContext): Target {
  if (!screen.isOutTerminal) return { kind: 'target', write, finish: nothing, giveUp: nothing };
  // A file keeps every byte; a terminal would act on some of them.
  const decoder = new TextDecoder('utf-8');
  const show = (text: string): Promise<void> => write(Buffer.from(printable(text)));
  const target = { kind: 'target', giveUp: nothing } as const;
  return {
    ...target,
    write: (bytes) => show(decoder.decode(bytes, { stream: true })),
    finish: () => show(decoder.decode()),
  };
}

/** A new file that only its owner reads: it names what is weak. An existing one, or a link, is never written to. */
async function newFile(path: string): Promise<Target | Refused> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (thrown) {
    const why = reasonOf(thrown) === 'EEXIST' ? 'is there already' : `cannot be made (${reasonOf(thrown)})`;
    return { kind: 'refused', why: `${path} ${why}; nothing was written` };
  }
  return {
    kind: 'target',
    write: (bytes) => file.appendFile(bytes),
    finish: async () => {
      await file.sync();
      await file.close();
    },
    giveUp: async () => {
      await file.close();
      await unlink(path);
    },
  };
}

function reasonOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? (thrown instanceof Error ? thrown.message : String(thrown));
}
