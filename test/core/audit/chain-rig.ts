import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { AUDIT_TYPES, type AuditCheckpoint, type AuditRecord } from '../../../schemas/audit.ts';
import { canonicalText } from '../../../src/core/audit/canonical.ts';
import {
  EMPTY_CHAIN,
  endAt,
  hashOf,
  type ReadRecord,
  readRecord,
  sealRecord,
  textOf,
} from '../../../src/core/audit/chain.ts';
import { createSigner, signCheckpoint } from '../../../src/core/audit/checkpoint.ts';
import type { AuditRow, AuditSigner } from '../../../src/core/audit/types.ts';
import type { TextReader } from '../../../src/core/audit/verify-copy.ts';
import { verifyAudit } from '../../../src/core/audit/verify.ts';
import type { AuditFault, AuditReport } from '../../../src/core/audit/verify-types.ts';

/** A new key. */
export function newSigner(): AuditSigner {
  const { privateKey } = generateKeyPairSync('ed25519');
  return createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** A whole chain with its checkpoints, as a gateway leaves it. */
export interface Chain {
  readonly records: readonly AuditRecord[];
  readonly checkpoints: readonly AuditCheckpoint[];
  readonly publicKey: KeyObject;
  readonly signer: AuditSigner;
  /** One for all verifications of the chain: only what was damaged is read anew. */
  readonly readText: TextReader;
}

/** A chain of so many records, signed after every `every` of them and at its end. */
export function newChain(length: number, every = 50): Chain {
  const signer = newSigner();
  const records: AuditRecord[] = [];
  const checkpoints = [signCheckpoint(signer, { seq: 0, hash: EMPTY_CHAIN.hash, at: timeOf(0) })];
  let end = EMPTY_CHAIN;
  for (let n = 1; n <= length; n += 1) {
    const event = {
      type: AUDIT_TYPES[n % AUDIT_TYPES.length] ?? 'run.started',
      principal: n % 3 === 0 ? undefined : `key_${n % 7}`,
      engagement: `e${n % 4}`,
      runId: `run_${n}`,
      requestId: `req-${n}`,
      digest: n % 2 === 0 ? undefined : 'ab'.repeat(32),
      data: { argv: ['-n', `10.0.0.${n % 250}`], n },
    };
    const record = sealRecord(event, end, n * 1000);
    records.push(record);
    end = endAt(record);
    if (n % every === 0 || n === length) {
      checkpoints.push(signCheckpoint(signer, { seq: n, hash: end.hash, at: timeOf(n * 1000) }));
    }
  }
  return { records, checkpoints, publicKey: createPublicKey(signer.publicKey), signer, readText: createReader() };
}

function createReader(): TextReader {
  const known = new Map<string, ReadRecord | undefined>();
  return (text) => {
    if (!known.has(text)) known.set(text, readRecord(text));
    return known.get(text);
  };
}

/** The copies as somebody left them; what is not given is as it was. */
export interface Damage {
  readonly table?: readonly string[];
  readonly file?: readonly string[];
  readonly checkpoints?: readonly AuditCheckpoint[];
  readonly anchors?: readonly AuditCheckpoint[];
  readonly publicKeys?: readonly KeyObject[];
  readonly until?: number;
}

/** Verifies the copies of a chain. */
export function verify(chain: Chain, damage: Damage = {}): Promise<AuditReport> {
  const whole = chain.records.map(textOf);
  const { table = whole, file = whole, checkpoints = chain.checkpoints, anchors, publicKeys, until } = damage;
  const source = (name: string, list: readonly AuditCheckpoint[]) => ({ name, lines: each(list.map(canonicalText)) });
  return verifyAudit({
    records: pages(table.map(rowOf)),
    file: pages(file),
    checkpoints: [source('checkpoints', checkpoints), ...(anchors === undefined ? [] : [source('anchor', anchors)])],
    publicKeys: publicKeys ?? [chain.publicKey],
    readText: chain.readText,
    ...(until !== undefined && { until }),
  });
}

/** Whether a fault names a record. */
export function names(faults: readonly AuditFault[], seq: number): boolean {
  return faults.some((fault) => fault.seq <= seq && seq <= (fault.until ?? fault.seq));
}

/** The same record with a hash of its own made anew: what somebody does who knows the format and not the key. */
export function rehashed(record: AuditRecord): AuditRecord {
  return { ...record, hash: hashOf(record) };
}

/** Everything from a record on linked and hashed anew. */
export function relinked(records: readonly AuditRecord[], from: number): readonly AuditRecord[] {
  const kept = records.slice(0, from);
  let prev = kept.at(-1)?.hash ?? EMPTY_CHAIN.hash;
  const anew = records.slice(from).map((record, index) => {
    const next = rehashed({ ...record, seq: from + index + 1, prev });
    prev = next.hash;
    return next;
  });
  return [...kept, ...anew];
}

/** Rows whose columns say what their texts say: what an attacker leaves who is careful. */
function rowOf(text: string, index: number): AuditRow {
  try {
    const { seq, type, runId } = JSON.parse(text) as AuditRecord;
    return { seq, type, runId, text };
  } catch {
    return { seq: index + 1, type: '', runId: null, text };
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** In lists of uneven lengths: what is read together must make no difference. */
async function* pages<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  for (let start = 0; start < items.length; start += 77) yield items.slice(start, start + 77);
}
