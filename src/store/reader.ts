import { parentPort, type Transferable, workerData } from 'node:worker_threads';
import { type Connection, openConnection } from './connection.ts';
import { toWireError } from './fault.ts';
import { requireVersion } from './file-version.ts';
import { READS } from './reads.ts';
import type { Answer, Answers, Ask, Operations, ThreadData } from './thread.ts';

if (parentPort === null) throw new Error('reader.ts is started as a thread of the store');
const port = parentPort;
const { path, isReadOnly } = workerData as ThreadData;
const operations: Operations = READS;
let open: Connection | undefined;

port.on('message', (ask: Ask | null) => {
  if (ask === null) {
    open?.close();
    port.close();
    return;
  }
  const answer = work(ask);
  port.postMessage({ wrote: false, answers: [answer] } satisfies Answers, ownMemory(answer));
});

function work({ id, name, args }: Ask): Answer {
  try {
    return { id, value: operations[name]?.(usable(), args) };
  } catch (thrown) {
    return { id, error: toWireError(thrown, path) };
  }
}

/** Opened at the first question, and tried again at the next one when that failed. */
function usable(): Connection {
  if (open === undefined) {
    const connection = openConnection(path, { mode: isReadOnly ? 'readOnly' : 'read' });
    try {
      requireVersion(connection);
    } catch (thrown) {
      connection.close();
      throw thrown;
    }
    open = connection;
  }
  return open;
}

/** Output is handed over, not copied. */
function ownMemory(answer: Answer): Transferable[] {
  const bytes = 'value' in answer ? (answer.value as { bytes?: unknown } | undefined)?.bytes : undefined;
  return bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}
