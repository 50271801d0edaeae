import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { type ToolStats, StatsSchema } from '../schemas/stats.ts';
import type { Clock } from '../src/core/clock.ts';

export interface OperationsOptions {
  readonly startedAt: number;
  readonly clock: Clock;
  readonly stats: () => readonly ToolStats[];
  /** The configuration with everything secret-like masked. */
  readonly shownConfig: () => Record<string, unknown>;
}

/** What an operator reads of the running gateway: statistics and the configuration in force. */
export default fp<OperationsOptions>(
  async (app, { startedAt, clock, stats, shownConfig }) => {
    app.get(
      '/v1/stats',
      {
        schema: {
          tags: ['operations'],
          summary: 'Counts, success rate and durations per tool since the start.',
          response: { 200: StatsSchema },
        },
      },
      async () => ({
        startedAt: new Date(startedAt).toISOString(),
        uptimeMs: Math.max(0, Math.round(clock.now() - startedAt)),
        tools: [...stats()],
      }),
    );
    app.get(
      '/v1/config',
      {
        schema: {
          tags: ['operations'],
          summary: 'The configuration in force, redacted.',
          response: { 200: Type.Record(Type.String(), Type.Unknown()) },
        },
      },
      async () => shownConfig(),
    );
  },
  { name: 'operations', dependencies: ['auth', 'principal-limit'] },
);
