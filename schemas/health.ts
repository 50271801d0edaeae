import { type Static, Type } from '@sinclair/typebox';

const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    { description },
  );

/** Overall health, best first. */
export const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];
/** How much a failing check weighs. */
export const CHECK_PRIORITIES = ['critical', 'important', 'informational'] as const;
export type CheckPriority = (typeof CHECK_PRIORITIES)[number];
/** State of one check. */
export const CHECK_STATES = ['passing', 'failing', 'stale'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/** One check of the report. */
export const HealthCheckSchema = Type.Object(
  {
    name: Type.String(),
    priority: oneOf(CHECK_PRIORITIES, 'failing: critical is unhealthy, important is degraded, informational neither'),
    state: oneOf(CHECK_STATES, 'stale: the last result is too old to be believed, or there is none yet'),
    message: Type.String(),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    checkedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    durationMs: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);

/** What `GET /health` tells a holder of the scope `health:read`. */
export const HealthReportSchema = Type.Object(
  {
    status: oneOf(HEALTH_STATUSES, 'overall health'),
    ready: Type.Boolean(),
    checkedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
    checks: Type.Array(HealthCheckSchema),
  },
  { additionalProperties: false },
);

/** What everybody else is told. */
export const BareHealthSchema = Type.Object(
  { status: oneOf([...HEALTH_STATUSES, 'alive', 'ready', 'not_ready'], 'one word') },
  { additionalProperties: false },
);

/** One check of the report, as code reads it. */
export interface HealthCheckReport {
  readonly name: string;
  readonly priority: CheckPriority;
  readonly state: CheckState;
  readonly message: string;
  readonly data?: Record<string, unknown>;
  readonly checkedAt: string | null;
  readonly durationMs: number;
}
/** The whole report, as code reads it. */
export interface HealthReport {
  readonly status: HealthStatus;
  readonly ready: boolean;
  readonly checkedAt: string | null;
  readonly checks: readonly HealthCheckReport[];
}
/** The static form of the schema, to hold the interface beside it to it. */
export type HealthReportStatic = Static<typeof HealthReportSchema>;
