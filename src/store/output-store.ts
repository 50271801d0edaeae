import type { OutputStore } from '../core/store/types.ts';
import type { StoreParts } from './store-parts.ts';

/** Kept output. The threads get and give memory of its own, handed over without a copy between them. */
export function createOutputStore({ writer, reader, clock }: StoreParts): OutputStore {
  return {
    append: async (runId, stream, chunk) => {
      if (chunk.length === 0) return;
      // One copy here, none after: a transferred buffer is empty for the caller, who may still parse the chunk.
      const bytes = new Uint8Array(chunk);
      await writer.call('append', { runId, stream, bytes, now: clock.now() }, [bytes.buffer]);
    },
    read: async (runId, stream, { offset, limit }) => {
      const { bytes, total } = await reader.call('readOutput', { runId, stream, offset, limit });
      return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), total };
    },
    sweep: async (limits) => {
      const runs: string[] = [];
      let bytes = 0;
      for (;;) {
        const step = await writer.call('sweepStep', limits);
        runs.push(...step.runs);
        bytes += step.bytes;
        if (step.isDone) return { runs, bytes, keptBytes: step.keptBytes };
      }
    },
  };
}
