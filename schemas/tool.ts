import { type Static, Type } from '@sinclair/typebox';
import { RiskSchema } from './risk.ts';

/** The state of one circuit breaker as it is shown. */
export const BreakerStateSchema = Type.Object(
  {
    state: Type.Union([Type.Literal('closed'), Type.Literal('half_open'), Type.Literal('open')]),
    failures: Type.Integer({ minimum: 0, description: 'consecutive failures counted' }),
    retryAfterMs: Type.Optional(Type.Integer({ minimum: 0, description: 'milliseconds until a probe is let through' })),
  },
  { additionalProperties: false },
);

/** One tool in a list: what it is and whether it may be called now. */
export const ToolSummarySchema = Type.Object(
  {
    name: Type.String(),
    title: Type.String(),
    risk: RiskSchema,
    enabled: Type.Boolean(),
    available: Type.Boolean(),
    /** False when the tool's own risk is above the operator's ceiling. */
    permitted: Type.Boolean(),
    version: Type.Optional(Type.String()),
    fault: Type.Optional(Type.String({ description: 'why it is not available, and what mends it' })),
  },
  { additionalProperties: false },
);
export type ToolSummary = Static<typeof ToolSummarySchema>;

/** One tool whole: its schemas, limits, presets, examples and live state. */
export const ToolDetailSchema = Type.Object(
  {
    ...ToolSummarySchema.properties,
    description: Type.String(),
    inputSchema: Type.Unknown({ description: 'JSON Schema 2020-12 of `input`' }),
    outputSchema: Type.Unknown({ description: 'JSON Schema 2020-12 of the answer' }),
    limits: Type.Object(
      {
        timeoutMs: Type.Integer(),
        concurrency: Type.Integer(),
        maxAddresses: Type.Integer(),
        maxPorts: Type.Integer(),
      },
      { additionalProperties: false },
    ),
    active: Type.Integer({ minimum: 0 }),
    queued: Type.Integer({ minimum: 0 }),
    breaker: BreakerStateSchema,
    presets: Type.Array(
      Type.Object(
        { name: Type.String(), title: Type.String(), input: Type.Unknown() },
        { additionalProperties: false },
      ),
    ),
    examples: Type.Array(Type.Object({ title: Type.String(), input: Type.Unknown() }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);
export type ToolDetail = Static<typeof ToolDetailSchema>;
