import { Worker, type Transferable } from 'node:worker_threads';
import { SallyportError } from '../core/errors.ts';
import { fromWireError, type WireError } from './fault.ts';
import type { Connection } from './connection.ts';

/** Named operations on one connection: what a thread of the store can be asked for. */
// oxlint-disable-next-line typescript/no-explicit-any -- the arguments are typed by each operation
export type Operations = Record<string, (connection: Connection, args: any) => unknown>;

/** One request on its way to a thread. */
export interface Ask {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

/** One answer on its way back. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError };

/** Answers of one batch; `wrote`: the batch changed the file durably. */
export interface Answers {
  readonly wrote: boolean;
  readonly answers: readonly Answer[];
}

/** What a thread gets when it starts. */
export interface ThreadData {
  readonly path: string;
  /** The file may be read alone: no lock, no log is made beside it. */
  readonly isReadOnly: boolean;
}

/** Asks operations of a thread, which starts with the first one and keeps the process alive only while one is open. */
export interface Thread<O extends Operations> {
  call<K extends keyof O & string>(
    name: K,
    args: Parameters<O[K]>[1],
    transfer?: readonly Transferable[],
  ): Promise<ReturnType<O[K]>>;
  /** Waits for what is open. Later calls reject with ERR_STORE_UNAVAILABLE. */
  close(): Promise<void>;
}

/** How to start a thread and whom to tell what became of its work. */
export interface ThreadInput {
  readonly entry: URL;
  readonly name: string;
  readonly data: ThreadData;
  readonly onAnswers?: (answers: Answers) => void;
}

interface Open {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}
interface Live {
  readonly worker: Worker;
  readonly open: Map<number, Open>;
  readonly exited: Promise<void>;
}

/** A thread of the store. When it dies, what was open is rejected and the next call starts another. */
export function createThread<O extends Operations>(input: ThreadInput): Thread<O> {
  let live: Live | undefined;
  let isClosed = false;
  let lastId = 0;
  const ask = async (name: string, args: unknown, transfer: readonly Transferable[]): Promise<unknown> => {
    if (isClosed) throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store is closed.');
    live ??= start(input, () => {
      live = undefined;
    });
    const { worker, open } = live;
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      worker.postMessage({ id, name, args } satisfies Ask, transfer);
      open.set(id, { resolve, reject });
      worker.ref();
    });
  };
  return {
    call: (name, args, transfer = []) => ask(name, args, transfer) as never,
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      if (live === undefined) return;
      const { worker, exited } = live;
      worker.ref();
      worker.postMessage(null, []);
      await exited;
    },
  };
}

function start(input: ThreadInput, onExit: () => void): Live {
  // No `--import` of the process: the thread needs nothing but its own file.
  const worker = new Worker(input.entry, { name: input.name, workerData: input.data, execArgv: [] });
  worker.unref();
  const open = new Map<number, Open>();
  worker.on('message', (batch: Answers) => {
    input.onAnswers?.(batch);
    for (const answer of batch.answers) settle(open, answer);
    if (open.size === 0) worker.unref();
  });
  let failure: unknown;
  worker.on('error', (thrown) => {
    failure = thrown;
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      onExit();
      for (const { reject } of open.values()) {
        reject(new SallyportError('ERR_STORE_UNAVAILABLE', 'The store ended unexpectedly.', { cause: failure }));
      }
      resolve();
    });
  });
  return { worker, open, exited };
}

function settle(open: Map<number, Open>, answer: Answer): void {
  const waiting = open.get(answer.id);
  open.delete(answer.id);
  if ('error' in answer) waiting?.reject(fromWireError(answer.error));
  else waiting?.resolve(answer.value);
}
