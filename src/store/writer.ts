import { statSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SallyportError } from '../core/errors.ts';
import { commitTogether } from './group-commit.ts';
import { type Connection, openConnection } from './connection.ts';
import { requireVersion } from './file-version.ts';
import { toWireError } from './fault.ts';
import type { Answer, Answers, Ask, Operations, ThreadData } from './thread.ts';
import { WRITES } from './writes.ts';

/** Requests of one transaction at most: an answer does not wait for ever longer batches. */
const MAX_BATCH = 512;

if (parentPort === null) throw new Error('writer.ts is started as a thread of the store');
const port = parentPort;
const { path } = workerData as ThreadData;
const operations: Operations = WRITES;
let open: { readonly connection: Connection; readonly file: string } | undefined;

port.on('message', (first: Ask | null) => {
  let next: Ask | null = first;
  while (next !== null) {
    const batch: Ask[] = [next];
    next = null;
    while (batch.length < MAX_BATCH) {
      // Everything that arrived while the last batch was synced goes into this one.
      const received = receiveMessageOnPort(port);
      if (received === undefined) break;
      if (received.message === null) {
        port.postMessage(work(batch));
        return end();
      }
      batch.push(received.message);
    }
    port.postMessage(work(batch));
  }
  if (first === null) end();
});

function end(): void {
  letGo();
  port.close();
}

function letGo(): void {
  open?.connection.close();
  open = undefined;
}

function work(batch: readonly Ask[]): Answers {
  try {
    const connection = usable();
    const units = batch.map(
      ({ name, args }) =>
        () =>
          operations[name]?.(connection, args),
    );
    const before = total(connection);
    const outcomes = commitTogether(connection, units);
    const answers = outcomes.map((outcome, index) => answer(batch[index], outcome));
    const wrote = total(connection) !== before;
    if (answers.some(isOfTheFile)) letGo();
    return { wrote, answers };
  } catch (thrown) {
    return { wrote: false, answers: batch.map((ask) => answer(ask, { thrown })) };
  }
}

function answer(ask: Ask | undefined, outcome: { value: unknown } | { thrown: unknown }): Answer {
  const id = ask?.id ?? 0;
  return 'thrown' in outcome ? { id, error: toWireError(outcome.thrown, path) } : { id, value: outcome.value };
}

/** A connection that was opened while the file could not be written never writes: the next write opens another. */
function isOfTheFile(answer: Answer): boolean {
  return 'error' in answer && (answer.error.fault === 'read_only' || answer.error.fault === 'other');
}

/** Opened at the first write, and tried again at the next one when that failed. */
function usable(): Connection {
  const file = identity();
  if (open === undefined) {
    const connection = openConnection(path, { mode: 'write' });
    try {
      requireVersion(connection);
    } catch (thrown) {
      connection.close();
      throw thrown;
    }
    open = { connection, file };
  }
  // Written into a removed file, everything would be acknowledged and nothing would be there after a restart.
  if (open.file !== file) throw moved();
  return open.connection;
}

function identity(): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) throw moved();
  return `${stats.dev} ${stats.ino}`;
}

function moved(): SallyportError {
  return new SallyportError(
    'ERR_STORE_UNAVAILABLE',
    'The file of the store was removed or replaced while it was in use; restart the gateway.',
  );
}

function total(connection: Connection): number {
  return connection.get<{ n: number }>('SELECT total_changes() AS n')?.n ?? 0;
}
