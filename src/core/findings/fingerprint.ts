import { createHash } from 'node:crypto';
import { placeOf } from './place.ts';
import type { FindingDraft } from './types.ts';

const HEX_DIGITS = 32;

/**
 * What a finding is about, as 32 hexadecimal digits: kind, place, protocol, port and key, and nothing else, so that it is
 * the same in every run. Of a cleaned draft that is not masked: what is masked differs from call to call.
 */
export function fingerprintOf(
  draft: Pick<FindingDraft, 'kind' | 'target' | 'address' | 'protocol' | 'port' | 'key'>,
): string {
  const { kind, protocol, port, key } = draft;
  // A JSON list is unambiguous: "a" with port 1 and "a1" without one must not meet in one hash.
  return hashOf(['finding', kind, placeOf(draft), protocol?.toLowerCase() ?? null, port ?? null, key ?? null]);
}

/** Everything of a cleaned draft whose change makes the finding `changed`, as 32 hexadecimal digits. */
export function digestOf(draft: Pick<FindingDraft, 'severity' | 'title' | 'confidence' | 'attributes'>): string {
  const { severity, title, confidence, attributes = {} } = draft;
  return hashOf(['state', severity, title, confidence, attributes]);
}

/** JSON with the names of every object in order (RFC 8785), of plain data: equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) => (isRecord(item) ? sorted(item) : item)) ?? 'null';
}

/** The first 32 hexadecimal digits of the SHA-256 of a text's UTF-8. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, HEX_DIGITS);
}

function hashOf(parts: readonly unknown[]): string {
  return shortHash(canonicalJson(parts));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(record)
      .toSorted()
      .map((name) => [name, record[name]]),
  );
}
