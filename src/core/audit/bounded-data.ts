import { createHash } from 'node:crypto';
import { cleanResult, type ResultLimits } from '../redaction/untrusted.ts';
import { canonicalText } from './canonical.ts';

/** Bytes of the `data` of a record, as canonical JSON. */
export const MAX_DATA_BYTES = 16_384;

/** Ever narrower: the first that fits is kept. */
const TRIES: readonly ResultLimits[] = [
  { maxText: MAX_DATA_BYTES, maxItems: MAX_DATA_BYTES, maxDepth: 64 },
  { maxText: 1024, maxItems: 128, maxDepth: 8 },
  { maxText: 256, maxItems: 24, maxDepth: 4 },
];

/**
 * Data as it is recorded: cleaned, plain, at most 16 KiB. What is longer is cut and never refused, because an attacker who
 * could make a record too long could do something without one; `cut` then says how long it was and what it hashed to.
 */
export function boundedData(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  let whole: string | undefined;
  for (const limits of TRIES) {
    // The depth is bounded, so that data which contains itself ends.
    const { value, cuts } = cleanResult(data, limits);
    const plain = value as Record<string, unknown>;
    whole ??= canonicalText(plain);
    const kept = limits === TRIES[0] && cuts.length === 0 ? plain : { ...plain, cut: markOf(whole) };
    if (Buffer.byteLength(canonicalText(kept), 'utf8') <= MAX_DATA_BYTES) return kept;
  }
  return { cut: markOf(whole ?? '') };
}

function markOf(text: string): { readonly bytes: number; readonly sha256: string } {
  return { bytes: Buffer.byteLength(text, 'utf8'), sha256: createHash('sha256').update(text, 'utf8').digest('hex') };
}
