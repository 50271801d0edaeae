import { type Static, Type } from '@sinclair/typebox';
import { OUTCOMES } from './run.ts';

const milliseconds = Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]);

/** Counts by outcome and duration percentiles of one tool since the gateway started. */
export const ToolStatsSchema = Type.Object(
  {
    tool: Type.String(),
    counts: Type.Object(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, Type.Integer({ minimum: 0 })])), {
      additionalProperties: false,
    }),
    successRate: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], {
      description: 'succeeded / (succeeded + failed + timed_out); null before the first',
    }),
    durationMs: Type.Object(
      { count: Type.Integer({ minimum: 0 }), p50: milliseconds, p95: milliseconds, p99: milliseconds },
      { additionalProperties: false, description: 'process durations, milliseconds, from an HDR histogram' },
    ),
  },
  { additionalProperties: false },
);
export type ToolStats = Static<typeof ToolStatsSchema>;

/** The answer of GET /v1/stats. */
export const StatsSchema = Type.Object(
  {
    startedAt: Type.String({ format: 'date-time' }),
    uptimeMs: Type.Integer({ minimum: 0 }),
    tools: Type.Array(ToolStatsSchema),
  },
  { additionalProperties: false },
);
