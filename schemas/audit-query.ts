import { Type } from '@sinclair/typebox';
import { AUDIT_TYPES, AuditCheckpointSchema } from './audit.ts';

const closed = { additionalProperties: false };
const ID = Type.Optional(Type.String({ minLength: 1, maxLength: 256 }));

/** The formats of an export of the audit: the records as they are, or events for a SIEM. */
export const AUDIT_FORMATS = ['jsonl', 'ocsf'] as const;
export type AuditFormat = (typeof AUDIT_FORMATS)[number];

/** Which records of the audit are listed. */
export const AuditPageQuerySchema = Type.Object(
  {
    after: Type.Optional(Type.String({ description: 'number of the record before the first one' })),
    limit: Type.Optional(Type.String({ description: '1 to 1000; default 100' })),
    type: Type.Optional(Type.Union(AUDIT_TYPES.map((type) => Type.Literal(type)))),
    runId: ID,
    engagement: ID,
    principal: ID,
  },
  closed,
);

/** What of the audit is exported. */
export const AuditExportQuerySchema = Type.Object(
  {
    format: Type.Union(AUDIT_FORMATS.map((format) => Type.Literal(format))),
    since: Type.Optional(Type.String({ format: 'date-time' })),
  },
  closed,
);

/** What verifies the checkpoints, and the newest one. */
export const AuditKeySchema = Type.Object(
  {
    publicKey: Type.String({ description: 'Ed25519, PEM (SPKI)' }),
    keyId: Type.String(),
    checkpoint: Type.Optional(AuditCheckpointSchema),
  },
  closed,
);
