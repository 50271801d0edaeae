import { hash as hashText } from 'node:crypto';
import { AUDIT_TYPES, type AuditRecord } from '../../../schemas/audit.ts';
import { cleanText } from '../redaction/untrusted.ts';
import { boundedData } from './bounded-data.ts';
import { canonicalMembers, canonicalText } from './canonical.ts';
import type { AuditEvent } from './types.ts';

/** `prev` of the first record. */
export const GENESIS = '0'.repeat(64);

/** The last record of a chain, or its beginning: what the next record has to follow. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** The end of a chain without records. */
export const EMPTY_CHAIN: ChainEnd = { seq: 0, hash: GENESIS, at: 0 };

/** Characters of an id in a record. */
const MAX_ID_LENGTH = 256;

/** The record that follows. Its time is never before that of the one before: a clock that is set back reorders nothing. */
export function sealRecord(event: AuditEvent, end: ChainEnd, now: number): AuditRecord {
  const unsealed = {
    seq: end.seq + 1,
    at: new Date(Math.max(now, end.at)).toISOString(),
    type: event.type,
    principal: idOf(event.principal),
    engagement: idOf(event.engagement),
    runId: idOf(event.runId),
    requestId: idOf(event.requestId),
    digest: idOf(event.digest),
    data: boundedData(event.data ?? {}),
    prev: end.hash,
  };
  return { ...unsealed, hash: hashOf(unsealed) };
}

function idOf(text: string | undefined): string | null {
  return text === undefined ? null : cleanText(text, MAX_ID_LENGTH);
}

/** SHA-256 over the canonical JSON of everything but `hash`, hexadecimal. */
export function hashOf(record: Omit<AuditRecord, 'hash'>): string {
  return sha256(`{${canonicalMembers(record, 'hash').join(',')}}`);
}

/** The one text of a record, as it lies in the table and in a line of the file. */
export function textOf(record: AuditRecord): string {
  return canonicalText(record);
}

/** What the record after this one has to follow. */
export function endAt(record: AuditRecord | undefined): ChainEnd {
  return record === undefined ? EMPTY_CHAIN : { seq: record.seq, hash: record.hash, at: Date.parse(record.at) };
}

/** Whether a record's own hash is that of its content, and it stands where the chain ends. */
export function follows(record: AuditRecord, end: ChainEnd): boolean {
  return record.seq === end.seq + 1 && record.prev === end.hash && record.hash === hashOf(record);
}

const HASH = /^[0-9a-f]{64}$/;
const NULLABLE = ['principal', 'engagement', 'runId', 'requestId', 'digest'] as const;
const FIELDS = ['seq', 'at', 'type', ...NULLABLE, 'data', 'prev', 'hash'].toSorted();
const NAMES = FIELDS.join(' ');
const HASH_PLACE = FIELDS.indexOf('hash');
const TYPES: ReadonlySet<unknown> = new Set(AUDIT_TYPES);

/** A record with the hash of what it says, whatever hash it states. */
export interface ReadRecord {
  readonly record: AuditRecord;
  readonly own: string;
}

/** Reads the text of a record. Undefined for anything but the one spelling of a record: what else it says proves nothing. */
export function readRecord(text: string): ReadRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const members = canonicalMembers(value, 'hash');
    // Between `engagement` and `prev`, by the order of the names.
    const all = members.toSpliced(HASH_PLACE, 0, `"hash":"${value.hash}"`);
    return `{${all.join(',')}}` === text ? { record: value, own: sha256(`{${members.join(',')}}`) } : undefined;
  } catch {
    // Not JSON, or nested deeper than any record of ours can be.
    return undefined;
  }
}

function isRecord(value: unknown): value is AuditRecord {
  if (typeof value !== 'object' || value === null || Object.keys(value).toSorted().join(' ') !== NAMES) return false;
  const fields = value as { readonly [K in keyof AuditRecord]: unknown };
  const { seq, at, type, data, prev, hash } = fields;
  const isNumbered = typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 1;
  const isTimed = typeof at === 'string' && !Number.isNaN(Date.parse(at));
  const isNamed = NULLABLE.every((name) => fields[name] === null || typeof fields[name] === 'string');
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
  return isNumbered && isTimed && isNamed && isObject && TYPES.has(type) && [prev, hash].every(isHash);
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && HASH.test(value);
}

function sha256(text: string): string {
  return hashText('sha256', text, 'hex');
}
