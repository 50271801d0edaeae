import { type Static, Type } from '@sinclair/typebox';

const closed = { additionalProperties: false };

/** One API key as it is stored: never the key itself. */
export const StoredKeySchema = Type.Object(
  {
    id: Type.String({ pattern: '^(?:key|bootstrap)_[0-9a-f]{16}$' }),
    name: Type.String({ minLength: 1, maxLength: 64 }),
    prefix: Type.String({ maxLength: 32 }),
    hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    scopes: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 }),
    createdAt: Type.Integer(),
    expiresAt: Type.Optional(Type.Integer()),
    revokedAt: Type.Optional(Type.Integer()),
  },
  closed,
);

/** The key file. */
export const KeyFileSchema = Type.Object({ version: Type.Literal(1), keys: Type.Array(StoredKeySchema) }, closed);
export type KeyFile = Static<typeof KeyFileSchema>;

/** One kept secret: a file of its own. */
export const StoredSecretSchema = Type.Object(
  {
    id: Type.String({ pattern: '^secret_[A-Za-z0-9_-]{22}$' }),
    owner: Type.String(),
    runId: Type.String(),
    tool: Type.String(),
    kind: Type.String(),
    value: Type.String(),
    createdAt: Type.Integer(),
  },
  closed,
);

/** Who holds a lock file. */
export const LockHolderSchema = Type.Object(
  {
    pid: Type.Integer({ minimum: 1 }),
    startTicks: Type.String({ description: 'field 22 of /proc/<pid>/stat: tells a reused pid from the holder' }),
    bootId: Type.String(),
    pidNamespace: Type.String(),
    nonce: Type.String(),
  },
  closed,
);
export type LockHolder = Static<typeof LockHolderSchema>;
