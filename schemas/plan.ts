import { type Static, Type } from '@sinclair/typebox';
import { RISKS } from './risk.ts';

const closed = { additionalProperties: false };
const RiskLiteral = Type.Union(RISKS.map((risk) => Type.Literal(risk)));

/** One rule that was asked: passed, failed, or not reached because one before it failed. */
export const TraceEntrySchema = Type.Object(
  {
    rule: Type.String({ description: 'id of the rule' }),
    outcome: Type.Union([Type.Literal('passed'), Type.Literal('failed'), Type.Literal('not_reached')]),
    field: Type.Optional(Type.String({ description: 'of the input' })),
    datum: Type.Optional(Type.String({ description: 'what decided it' })),
  },
  closed,
);
export type TraceEntry = Static<typeof TraceEntrySchema>;

/** What a run would take. */
export const EstimateSchema = Type.Object(
  {
    probes: Type.Number({
      minimum: 0,
      description: 'packets, requests, queries or guesses, by the kind of tool: expected',
    }),
    mostProbes: Type.Optional(
      Type.Number({ minimum: 0, description: 'the most that targets can draw out: what the budgets reserve' }),
    ),
    packetsPerSecond: Type.Number({ minimum: 0 }),
    durationMs: Type.Number({ minimum: 0 }),
    guesses: Type.Optional(Type.Number({ minimum: 0, description: 'most of them for one account' })),
  },
  closed,
);

/** What exactly would run, and why it may or may not. */
export const PlanViewSchema = Type.Object(
  {
    planId: Type.Union([Type.String(), Type.Null()], { description: 'null for what is refused' }),
    tool: Type.String(),
    decision: Type.Union([Type.Literal('allowed'), Type.Literal('needs_approval'), Type.Literal('refused')]),
    refusal: Type.Optional(
      Type.Object(
        {
          code: Type.String(),
          rule: Type.String(),
          message: Type.String(),
          instead: Type.Optional(Type.String({ description: 'what would be allowed' })),
          retryAfterMs: Type.Optional(Type.Integer({ minimum: 0 })),
        },
        closed,
      ),
    ),
    engagement: Type.Optional(Type.Object({ id: Type.String(), version: Type.String() }, closed)),
    digest: Type.Optional(
      Type.String({ description: 'over everything that would run; the same plan has the same one' }),
    ),
    argv: Type.Optional(Type.Array(Type.String(), { description: 'exact, secrets masked' })),
    targets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            role: Type.String(),
            given: Type.String(),
            canonical: Type.String(),
            addresses: Type.Array(Type.String()),
            addressCount: Type.String({ description: 'exact, decimal' }),
          },
          closed,
        ),
      ),
    ),
    size: Type.Optional(
      Type.Object({ addresses: Type.String(), ports: Type.Integer(), probes: Type.String() }, closed),
    ),
    estimate: Type.Optional(EstimateSchema),
    risk: Type.Optional(
      Type.Object(
        {
          level: RiskLiteral,
          ceiling: RiskLiteral,
          raisedBy: Type.Array(Type.Object({ option: Type.String(), risk: RiskLiteral, why: Type.String() }, closed)),
        },
        closed,
      ),
    ),
    approval: Type.Optional(
      Type.Object(
        { from: RiskLiteral, quorum: Type.Integer(), ttlMinutes: Type.Integer(), selfConfirm: Type.Boolean() },
        closed,
      ),
    ),
    degraded: Type.Array(Type.String()),
    timeoutMs: Type.Optional(Type.Integer()),
    rules: Type.Array(TraceEntrySchema, { description: 'every rule in the order in which it was asked' }),
    createdAt: Type.String({ format: 'date-time' }),
    expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'of the plan id' })),
  },
  closed,
);
export type PlanView = Static<typeof PlanViewSchema>;
