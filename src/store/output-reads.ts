import type { StreamName } from '../core/store/types.ts';
import type { Connection } from './connection.ts';
import { STREAM } from './numbers.ts';
import { unpack } from './pack.ts';

interface ChunkRow {
  readonly start: number;
  readonly length: number;
  readonly codec: number;
  readonly data: Uint8Array;
}

function readOutput(
  connection: Connection,
  { runId, stream, offset, limit }: { runId: string; stream: StreamName; offset: number; limit: number },
): { readonly bytes: Uint8Array; readonly total: number } {
  const run = connection.get<{ num: number }>('SELECT num FROM runs WHERE id = ?', runId)?.num ?? 0;
  const place = [run, STREAM[stream]] as const;
  const last = connection.get<{ total: number }>(
    'SELECT start + length AS total FROM chunks WHERE run = ? AND stream = ? ORDER BY start DESC LIMIT 1',
    ...place,
  );
  const total = last?.total ?? 0;
  const from = Math.min(Math.max(0, offset), total);
  const until = Math.min(total, from + Math.max(0, limit));
  const pieces: Uint8Array[] = [];
  // Chunk by chunk: more than is asked for is never in memory.
  const sql = `SELECT start, length, codec, data FROM chunks WHERE run = ? AND stream = ? AND start <= ?
    ORDER BY start DESC LIMIT 1`;
  for (let at = from; at < until; ) {
    const row = connection.get<ChunkRow>(sql, ...place, at);
    // A sweep came between.
    if (row === undefined || row.start + row.length <= at) break;
    const piece = unpack(row).subarray(at - row.start, until - row.start);
    pieces.push(piece);
    at += piece.length;
  }
  return { bytes: joined(pieces), total };
}

/** In memory of its own, so that it can be handed to another thread without a copy. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Questions about kept output. */
export const OUTPUT_READS = { readOutput };
