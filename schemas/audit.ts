import { type Static, Type } from '@sinclair/typebox';

const closed = { additionalProperties: false };
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const HASH = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** Every kind of record in the audit: a decision or a change of state. */
export const AUDIT_TYPES = [
  'gateway.started',
  'gateway.stopped',
  'config.applied',
  'engagement.put',
  'engagement.removed',
  'engagement.revoked',
  'engagement.reinstated',
  'plan.made',
  'plan.refused',
  'run.accepted',
  'run.refused',
  'run.started',
  'run.ended',
  'run.removed',
  'approval.requested',
  'approval.confirmed',
  'approval.approved',
  'approval.denied',
  'approval.refused',
  'approval.expired',
  'kill.engaged',
  'kill.lifted',
  'tool.enabled',
  'tool.disabled',
  'secret.read',
  'key.created',
  'key.revoked',
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

/** One record of the audit. `hash` is SHA-256 over the canonical JSON (RFC 8785) of everything else; `prev` the hash before. */
export const AuditRecordSchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    at: Type.String({ format: 'date-time' }),
    type: Type.Union(AUDIT_TYPES.map((type) => Type.Literal(type))),
    principal: nullable(Type.String({ description: 'id; null: the gateway itself' })),
    engagement: nullable(Type.String()),
    runId: nullable(Type.String()),
    requestId: nullable(Type.String()),
    digest: nullable(Type.String({ description: 'of the plan' })),
    data: Type.Record(Type.String(), Type.Unknown(), { description: 'what belongs to the type, secrets masked' }),
    prev: HASH,
    hash: HASH,
  },
  closed,
);
export type AuditRecord = Static<typeof AuditRecordSchema>;

/** A signed statement of how the chain stood. `signature` is Ed25519, base64, over the canonical JSON of the rest. */
export const AuditCheckpointSchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 0 }),
    hash: HASH,
    at: Type.String({ format: 'date-time' }),
    keyId: Type.String({ description: 'first 16 hexadecimal digits of SHA-256 over the public key (SPKI DER)' }),
    signature: Type.String(),
  },
  closed,
);
export type AuditCheckpoint = Static<typeof AuditCheckpointSchema>;

/** One page of the audit, oldest first. */
export const AuditPageSchema = Type.Object(
  { records: Type.Array(AuditRecordSchema), nextAfter: Type.Optional(Type.Integer()) },
  closed,
);
export type AuditPage = Static<typeof AuditPageSchema>;
