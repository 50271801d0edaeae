import { type Static, Type } from '@sinclair/typebox';

const closed = { additionalProperties: false };

/** One kill switch that is on. */
export const KillEntrySchema = Type.Object(
  {
    engagement: Type.Union([Type.String(), Type.Null()], { description: 'null: everything' }),
    since: Type.String({ format: 'date-time' }),
    by: Type.String({ description: 'id of the principal, "signal" or "file"' }),
    reason: Type.String(),
  },
  closed,
);
export type KillEntry = Static<typeof KillEntrySchema>;

/** Which kill switches are on. */
export const KillStateSchema = Type.Object({ active: Type.Boolean(), switches: Type.Array(KillEntrySchema) }, closed);
export type KillState = Static<typeof KillStateSchema>;

/** What a kill did. */
export const KillReportSchema = Type.Object(
  {
    active: Type.Boolean(),
    switches: Type.Array(KillEntrySchema),
    endedRuns: Type.Integer({ minimum: 0, description: 'running, waiting or awaiting approval' }),
    survivors: Type.Integer({ minimum: 0, description: 'processes that are still there; must be 0' }),
  },
  closed,
);
export type KillReport = Static<typeof KillReportSchema>;

/** The body of a kill and of its lifting. */
export const KillBodySchema = Type.Object(
  {
    engagement: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'absent: everything' })),
    reason: Type.String({ minLength: 1, maxLength: 500 }),
  },
  closed,
);
export type KillBody = Static<typeof KillBodySchema>;
