import type { AuditType } from '../../../schemas/audit.ts';
import type { KeyRecord, KeyStore } from '../auth/types.ts';
import type { Log } from '../log.ts';
import { MAX_PAGE } from './page.ts';
import type { Audit } from './types.ts';

/** What the watch over the keys stands on. */
export interface KeyWatchParts {
  readonly keys: KeyStore;
  readonly audit: Pick<Audit, 'note' | 'page'>;
  readonly log: Log;
  /** Time between two looks; default 2 s. */
  readonly intervalMs?: number;
}

/** Sees to it that every API key is in the audit, whoever made it. */
export interface KeyWatch {
  /** The store of keys. Whoever is found in its list was noted before, so that no deed of a key comes before the key. */
  readonly keys: KeyStore;
  /** Looks a last time, and no more. */
  stop(): Promise<void>;
}

const INTERVAL_MS = 2000;
const TYPES = ['key.created', 'key.revoked'] as const satisfies readonly AuditType[];

/**
 * Notes what happened to the keys since the audit was last told, and from then on what happens. The command line makes and
 * revokes keys in the store itself. Attack: an operator makes a second person, consents as that one, and revokes the key.
 * Rejects when the keys or the audit cannot be read: then nothing may start.
 */
export async function openKeyWatch(parts: KeyWatchParts): Promise<KeyWatch> {
  const { keys, log, intervalMs = INTERVAL_MS } = parts;
  const notes = new KeyNotes(parts, await knownKeys(parts.audit));
  const list: KeyStore['list'] = async () => {
    const records = await keys.list();
    notes.compare(records);
    return records;
  };
  await list();
  let hasFailed = false;
  const look = async (): Promise<void> => {
    try {
      await list();
      hasFailed = false;
    } catch (err) {
      // Once for each outage, not every two seconds.
      if (!hasFailed) log.error('store.failed', { what: 'key watch', err });
      hasFailed = true;
    }
  };
  const timer = setInterval(() => void look(), intervalMs).unref();
  return {
    keys: { list, add: (record) => keys.add(record), revoke: (id, at) => keys.revoke(id, at) },
    stop: async () => {
      clearInterval(timer);
      await look();
    },
  };
}

interface Known {
  /** Of the last record about the key. */
  readonly seq: number;
  readonly isValid: boolean;
}

/** What the audit says of every key. */
async function knownKeys(audit: Pick<Audit, 'page'>): Promise<ReadonlyMap<string, Known>> {
  const known = new Map<string, Known>();
  for (const type of TYPES) {
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: Awaited<ReturnType<Audit['page']>> = await audit.page({ type, after, limit: MAX_PAGE });
      for (const { seq, data } of page.records) {
        const id = String(data['id']);
        if ((known.get(id)?.seq ?? 0) < seq) known.set(id, { seq, isValid: type === 'key.created' });
      }
      after = page.nextAfter;
    }
  }
  return known;
}

/** Tells the audit how the keys differ from what it knows. */
class KeyNotes {
  private readonly parts: KeyWatchParts;
  /** By id: whether the audit takes the key for valid. */
  private readonly known: Map<string, boolean>;
  private seen: readonly KeyRecord[] = [];

  constructor(parts: KeyWatchParts, known: ReadonlyMap<string, Known>) {
    this.parts = parts;
    this.known = new Map([...known].map(([id, { isValid }]) => [id, isValid]));
  }

  /** Without a pause in it: two looks at once must not note the same twice. */
  compare(records: readonly KeyRecord[]): void {
    // The same list as long as no key changed: this stands in the way of every call.
    if (records === this.seen) return;
    for (const record of records) this.compareOne(record);
    const present = new Set(records.map(({ id }) => id));
    // Taken out of the table past every command: what the audit knew of it stays.
    for (const [id, isValid] of this.known) {
      if (isValid && !present.has(id)) this.note('key.revoked', { id, isRemoved: true });
    }
    this.seen = records;
  }

  private compareOne(record: KeyRecord): void {
    const { id, revokedAt } = record;
    const isValid = revokedAt === undefined;
    // Also of a key that was made and revoked between two looks: both are told.
    if (!this.known.has(id) || (isValid && this.known.get(id) === false)) this.note('key.created', shown(record));
    if (!isValid && this.known.get(id) === true) {
      this.note('key.revoked', { ...shown(record), revokedAt: momentOf(revokedAt) });
    }
  }

  private note(type: (typeof TYPES)[number], key: { readonly id: string } & Record<string, unknown>): void {
    this.known.set(key.id, type === 'key.created');
    // Not the gateway did it, and nobody can say who: it was seen afterwards.
    this.parts.audit.note({ type, data: { ...key, noticed: true } });
    this.parts.log.info(type, { ...key, noticed: true });
  }
}

/** Never the hash: it would tell whether a stolen key is this one. */
function shown({ id, name, prefix, scopes, createdAt, expiresAt }: KeyRecord) {
  return { id, name, prefix, scopes, createdAt: momentOf(createdAt), expiresAt: momentOf(expiresAt) };
}

/** Whoever writes a time that is none into the table must not end the authentication of everybody. */
function momentOf(ms: number | undefined): string | null {
  if (ms === undefined) return null;
  const moment = new Date(ms);
  return Number.isNaN(moment.getTime()) ? 'no moment' : moment.toISOString();
}
