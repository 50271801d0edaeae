import { type Static, Type } from '@sinclair/typebox';
import { RISKS } from './risk.ts';

const closed = { additionalProperties: false };

/** What a run's record says of the consent that it needs; null for a run that needs none. */
export const RunApprovalSchema = Type.Object(
  {
    quorum: Type.Integer({ minimum: 1 }),
    approvals: Type.Integer({ minimum: 0, description: 'given so far' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  closed,
);
export type RunApproval = Static<typeof RunApprovalSchema>;

/** One decision of one person. */
export const ApprovalDecisionSchema = Type.Object(
  {
    decision: Type.Union([Type.Literal('approved'), Type.Literal('denied')]),
    by: Type.String({ description: 'id of the principal' }),
    name: Type.String(),
    reason: Type.String(),
    at: Type.String({ format: 'date-time' }),
    via: Type.Union([Type.Literal('rest'), Type.Literal('mcp')]),
  },
  closed,
);
export type ApprovalDecision = Static<typeof ApprovalDecisionSchema>;

/** A run that waits, or waited, for people. */
export const ApprovalSchema = Type.Object(
  {
    runId: Type.String(),
    state: Type.Union(
      (['pending', 'approved', 'denied', 'expired', 'withdrawn'] as const).map((state) => Type.Literal(state)),
    ),
    tool: Type.String(),
    requester: Type.Object({ id: Type.String(), name: Type.String() }, closed),
    engagement: Type.String(),
    risk: Type.Union(RISKS.map((risk) => Type.Literal(risk))),
    digest: Type.String({ description: 'has to be sent with the decision' }),
    argv: Type.Array(Type.String()),
    targets: Type.Array(Type.String()),
    quorum: Type.Integer(),
    decisions: Type.Array(ApprovalDecisionSchema),
    requestedAt: Type.String({ format: 'date-time' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  closed,
);
export type Approval = Static<typeof ApprovalSchema>;

/** One page of approvals, oldest first. */
export const ApprovalPageSchema = Type.Object({ approvals: Type.Array(ApprovalSchema) }, closed);

/** The body of a decision. */
export const DecisionBodySchema = Type.Object(
  {
    digest: Type.String({
      minLength: 64,
      maxLength: 64,
      pattern: '^[0-9a-f]{64}$',
      description: 'of what was looked at',
    }),
    reason: Type.String({ minLength: 1, maxLength: 500 }),
  },
  closed,
);
export type DecisionBody = Static<typeof DecisionBodySchema>;
