import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { type KeyRecord, type KeyStore, type Principal, type Scope, SCOPES } from './types.ts';

/** Why a caller was refused: for metrics and logs, never for the caller. */
export const AUTH_FAILURES = ['missing', 'malformed', 'unknown', 'expired', 'revoked'] as const;
export type AuthFailure = (typeof AUTH_FAILURES)[number];

/** What a new key is to be. */
export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
  readonly clock: Clock;
}

/** Makes a key of 256 random bits. The key is in this answer only; the record holds its hash. Throws ERR_INPUT_INVALID. */
export function createKey(request: KeyRequest): { readonly key: string; readonly record: KeyRecord } {
  const { name, scopes, expiresAt, clock } = request;
  const faults = keyFaults(request);
  if (faults.length > 0) {
    throw new SallyportError('ERR_INPUT_INVALID', `The key cannot be made: ${faults.join('; ')}.`, {
      details: { faults },
    });
  }
  const prefix = `sp_${randomBytes(4).toString('hex')}`;
  const key = `${prefix}_${randomBytes(32).toString('base64url')}`;
  const record: KeyRecord = {
    id: `key_${randomBytes(8).toString('hex')}`,
    name,
    prefix,
    hash: hashKey(key),
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    createdAt: clock.now(),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
  return { key, record };
}

function keyFaults({ name, scopes, expiresAt, clock }: KeyRequest): readonly string[] {
  const unknown = scopes.filter((scope) => !SCOPES.some((known) => known === scope));
  return [
    // The name is shown in logs and lists: nothing in it may break a line or a column.
    ...(/^[A-Za-z0-9][\w .@-]{0,63}$/.test(name) ? [] : ['the name is 1 to 64 letters, digits, spaces or . _ @ -']),
    ...(scopes.length === 0 ? [`at least one scope of ${SCOPES.join(', ')}`] : []),
    ...(unknown.length === 0 ? [] : [`there are only these scopes: ${SCOPES.join(', ')}`]),
    ...(expiresAt === undefined || (Number.isSafeInteger(expiresAt) && expiresAt > clock.now())
      ? []
      : ['the expiry is not in the future']),
  ];
}

/** SHA-256 of a key, hexadecimal. A slow hash adds nothing to 256 random bits. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex');
}

/** Why a key cannot be used now; undefined when it can. */
export function unusable(record: KeyRecord, clock: Clock): 'revoked' | 'expired' | undefined {
  if (record.revokedAt !== undefined) return 'revoked';
  if (record.expiresAt !== undefined && record.expiresAt <= clock.now()) return 'expired';
  return undefined;
}

/** Says who is calling. */
export interface Authenticator {
  /**
   * The holder of the key in an Authorization header (RFC 6750 Bearer). An array is every header of the request: more
   * than one is malformed. Throws ERR_AUTH_REQUIRED, the same for every reason; its `cause.message` is an AuthFailure.
   */
  authenticate(header: string | readonly string[] | undefined): Promise<Principal>;
}

/** What an authenticator needs. */
export interface AuthenticatorInput {
  readonly store: KeyStore;
  readonly clock: Clock;
  /** Told each key that was accepted, so that redaction knows it. Never a refused one: callers must not fill it. */
  readonly onAccepted?: (key: string) => void;
}

/** Authenticates by API keys. A revocation in the store applies to the next call. */
export function createAuthenticator({ store, clock, onAccepted }: AuthenticatorInput): Authenticator {
  return {
    async authenticate(header) {
      const key = bearer(header);
      const record = find(await store.list(), key);
      if (record === undefined) throw refusal('unknown');
      const reason = unusable(record, clock);
      if (reason !== undefined) throw refusal(reason);
      onAccepted?.(key);
      return { id: record.id, name: record.name, scopes: new Set(record.scopes) };
    },
  };
}

function bearer(header: string | readonly string[] | undefined): string {
  const headers = typeof header === 'string' ? [header] : (header ?? []);
  const [only] = headers;
  if (only === undefined) throw refusal('missing');
  // Two headers: a proxy in front may have judged the other one.
  if (headers.length > 1) throw refusal('malformed');
  const key = /^Bearer +([\w.~+/=-]{16,512})$/i.exec(only)?.[1];
  if (key === undefined) throw refusal('malformed');
  return key;
}

/** Looks at every record and compares hashes in constant time, so that timing tells nothing about which one is near. */
function find(records: readonly KeyRecord[], key: string): KeyRecord | undefined {
  const hash = Buffer.from(hashKey(key), 'hex');
  let found: KeyRecord | undefined;
  for (const record of records) {
    const stored = Buffer.from(record.hash, 'hex');
    if (stored.length === hash.length && timingSafeEqual(stored, hash)) found = record;
  }
  return found;
}

function refusal(reason: AuthFailure): SallyportError {
  return new SallyportError(
    'ERR_AUTH_REQUIRED',
    'A valid API key is required, as a bearer token in the Authorization header.',
    {
      cause: new Error(reason),
    },
  );
}

/** Whether the principal holds a scope. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  return principal.scopes.has(scope);
}
