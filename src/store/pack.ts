import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** How bytes lie in the file. */
export interface Packed {
  /** 0: as they are; 1: Zstandard (RFC 8878). */
  readonly codec: 0 | 1;
  readonly data: Uint8Array;
}

/** Longest text that `unpackText` makes, bytes: a damaged length must not ask for the machine's memory. */
const MAX_TEXT_BYTES = 256 * 1_048_576;

/** Compresses bytes where that makes them smaller. */
export function pack(bytes: Uint8Array): Packed {
  const compressed = zstdCompressSync(bytes);
  return compressed.length < bytes.length ? { codec: 1, data: compressed } : { codec: 0, data: bytes };
}

/** The bytes again. Throws when they are not `length` long: the file is damaged. */
export function unpack({ codec, data, length }: { codec: number; data: Uint8Array; length: number }): Uint8Array {
  const bytes = codec === 1 ? zstdDecompressSync(data, { maxOutputLength: length }) : data;
  if (bytes.length !== length) throw new Error('a chunk has another length than was written');
  return bytes;
}

/** Compresses a value as JSON. */
export function packText(value: unknown): Uint8Array {
  return zstdCompressSync(Buffer.from(JSON.stringify(value), 'utf8'));
}

/** The JSON text again. */
export function unpackText(data: Uint8Array): string {
  return zstdDecompressSync(data, { maxOutputLength: MAX_TEXT_BYTES }).toString('utf8');
}
