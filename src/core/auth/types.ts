/** Every scope there is (docs: SECURITY.md). A key holds some of them. */
export const SCOPES = [
  'tools:read',
  'runs:plan',
  'runs:execute',
  'runs:read',
  'runs:read:all',
  'runs:cancel',
  'runs:cancel:all',
  'runs:approve',
  'findings:read',
  'secrets:read',
  'engagements:read',
  'engagements:write',
  'admin:tools',
  'admin:config',
  'admin:kill',
  'audit:read',
  'health:read',
  'metrics:read',
] as const;
export type Scope = (typeof SCOPES)[number];

/** The authenticated caller. Everything is owned by one. */
export interface Principal {
  /** Stable id of the key's owner; safe to show. */
  readonly id: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** What is stored of an API key: never the key. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  /** First characters of the key, for recognition. */
  readonly prefix: string;
  /** SHA-256 of the key, hexadecimal. The key is 256 random bits, so a slow hash adds nothing. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
}

/** Where keys are kept. Every write is durable before it resolves. */
export interface KeyStore {
  list(): Promise<readonly KeyRecord[]>;
  add(record: KeyRecord): Promise<void>;
  revoke(id: string, at: number): Promise<boolean>;
}

/** A found secret (a password a tool guessed), kept apart from results. */
export interface SecretRecord {
  readonly id: string;
  readonly owner: string;
  readonly runId: string;
  readonly tool: string;
  readonly kind: string;
  readonly value: string;
  readonly createdAt: number;
}

/** Where found secrets are kept, apart from results. */
export interface SecretStore {
  /**
   * Returns the reference at once, because a parser calls it in the middle of a stream; whoever shows the reference
   * waits for `kept` before, which rejects with ERR_STORE_UNAVAILABLE when the secret is not durable.
   */
  keep(secret: Omit<SecretRecord, 'id' | 'createdAt'>): { readonly id: string; readonly kept: Promise<void> };
  /** Every kept secret, newest first, at most `limit`: what must be masked after a restart too. */
  recent(limit: number): Promise<readonly SecretRecord[]>;
  /** Undefined when there is none of that id. */
  read(id: string): Promise<SecretRecord | undefined>;
}
