import { createHash } from 'node:crypto';
import type { Run } from '../../../schemas/run-record.ts';
import type { OutputStore, StreamName } from '../store/types.ts';

/** Bytes that are stored together. */
const CHUNK_BYTES = 65_536;
/** Time after which fewer are stored too, so that a killed gateway keeps what a slow tool wrote. */
const FLUSH_MS = 1000;
/** Bytes that may wait for the store before the tool has to wait. */
const MOST_PENDING_BYTES = 1_048_576;

type KeptStream = Pick<Run['stdout'], 'keptBytes' | 'sha256'>;

/** What was kept of a run's output; `isWhole` is false when the store refused some of it. */
export interface KeptOutputs {
  readonly stdout: KeptStream;
  readonly stderr: KeptStream;
  readonly isWhole: boolean;
}

/** Carries the output of one run to the store in chunks, with bounded memory. */
export interface OutputWriter {
  /** Takes a copy. When it returns a promise, the producer waits for it before it brings more. */
  take(stream: StreamName, chunk: Buffer): Promise<void> | undefined;
  /** Stores what is left. Never rejects: output that cannot be kept is said, and the run goes on. */
  end(): Promise<KeptOutputs>;
}

export interface OutputWriterOptions {
  readonly runId: string;
  readonly store: Pick<OutputStore, 'append'>;
  /** Called once, when the store refuses; nothing more is kept then. */
  readonly onFailure: (error: unknown) => void;
}

/** Makes the writer of one run. */
export function createOutputWriter(options: OutputWriterOptions): OutputWriter {
  const shared: Shared = { ...options, pendingBytes: 0, hasFailed: false };
  const streams = { stdout: createStream(shared, 'stdout'), stderr: createStream(shared, 'stderr') };
  return {
    take: (stream, chunk) => streams[stream].take(chunk),
    async end() {
      const [stdout, stderr] = await Promise.all([streams.stdout.end(), streams.stderr.end()]);
      return { stdout, stderr, isWhole: !shared.hasFailed };
    },
  };
}

interface Shared extends OutputWriterOptions {
  pendingBytes: number;
  hasFailed: boolean;
}

function createStream(shared: Shared, name: StreamName) {
  const hash = createHash('sha256');
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let keptBytes = 0;
  let written = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waitingBytes === 0) return;
    const chunk = Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    shared.pendingBytes += chunk.length;
    written = written.then(() => append(chunk));
  };
  const append = async (chunk: Buffer) => {
    // Measured and hashed before it is handed over: the store takes the memory along.
    const { length } = chunk;
    try {
      if (shared.hasFailed) return;
      hash.update(chunk);
      await shared.store.append(shared.runId, name, chunk);
      keptBytes += length;
    } catch (error) {
      if (!shared.hasFailed) shared.onFailure(error);
      shared.hasFailed = true;
    } finally {
      shared.pendingBytes = Math.max(0, shared.pendingBytes - length);
    }
  };
  return {
    take(chunk: Buffer): Promise<void> | undefined {
      if (shared.hasFailed) return undefined;
      waiting.push(Buffer.from(chunk));
      waitingBytes += chunk.length;
      if (waitingBytes >= CHUNK_BYTES) flush();
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
      return shared.pendingBytes > MOST_PENDING_BYTES ? written : undefined;
    },
    async end(): Promise<KeptStream> {
      flush();
      await written;
      return { keptBytes, sha256: shared.hasFailed ? null : hash.digest('hex') };
    },
  };
}
