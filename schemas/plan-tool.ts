import { type Static, Type } from '@sinclair/typebox';
import { RunOptionsSchema } from './run.ts';

const closed = { additionalProperties: false };
const { engagement, timeoutMs, maxTokens } = RunOptionsSchema.properties;
const MaxTokens = Type.Optional(Type.Integer({ minimum: maxTokens.minimum ?? 0, maximum: maxTokens.maximum ?? 0 }));
const Any = Type.Unknown();
const OptionalAny = Type.Optional(Any);

/** How a plan would be run: what of the options of a run decides anything about it. */
export const PlanOptionsSchema = Type.Object({ engagement, timeoutMs }, closed);

/** Arguments of the MCP tool `plan`. */
export const PlanToolInput = Type.Object(
  {
    tool: Type.String({ minLength: 1, maxLength: 64 }),
    input: Type.Object({}, { additionalProperties: true, description: 'its arguments' }),
    run: Type.Optional(
      Type.Object(
        {
          engagement: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
          timeoutMs: Type.Optional(Type.Integer({ minimum: timeoutMs.minimum ?? 0, maximum: timeoutMs.maximum ?? 0 })),
        },
        closed,
      ),
    ),
    maxTokens: MaxTokens,
  },
  closed,
);
export type PlanToolArguments = Static<typeof PlanToolInput>;

/** Answer of the MCP tool `plan`; what has no room is left out, and `shortened` says so. */
export const PlanToolOutput = Type.Object(
  {
    planId: Type.Union([Type.String(), Type.Null()]),
    tool: Type.String(),
    decision: Type.Unsafe<'allowed' | 'needs_approval' | 'refused'>({ enum: ['allowed', 'needs_approval', 'refused'] }),
    next: Type.String(),
    refusal: OptionalAny,
    digest: Type.Optional(Type.String()),
    engagement: OptionalAny,
    approval: OptionalAny,
    risk: OptionalAny,
    estimate: OptionalAny,
    size: OptionalAny,
    argv: OptionalAny,
    targets: OptionalAny,
    degraded: OptionalAny,
    timeoutMs: OptionalAny,
    expiresAt: OptionalAny,
    rules: OptionalAny,
    shortened: OptionalAny,
  },
  closed,
);

/** Arguments of the MCP tool `scope`. */
export const ScopeToolInput = Type.Object({ maxTokens: MaxTokens }, closed);
export type ScopeToolArguments = Static<typeof ScopeToolInput>;

/** Answer of the MCP tool `scope`. */
export const ScopeToolOutput = Type.Object(
  {
    principal: OptionalAny,
    killed: Type.Boolean({ description: 'true: nothing runs' }),
    mustName: Type.Boolean({ description: 'true: say run.engagement' }),
    engagements: Type.Array(Any),
    shortened: OptionalAny,
  },
  closed,
);
