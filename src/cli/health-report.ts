/** A health answer for a reader. */
export interface HealthSummary {
  readonly isUnhealthy: boolean;
  readonly lines: readonly string[];
}

/** Reads the body of `GET /health`: the bare status that everybody gets, or the whole report of a holder of health:read. */
export function describeHealth(body: unknown): HealthSummary {
  const { status, checks } = asRecord(body);
  // Fail closed: an answer that is no health report is not a healthy gateway.
  const isUnhealthy = status !== 'healthy' && status !== 'degraded';
  const lines = [`health: ${typeof status === 'string' ? status : 'unknown'}`];
  for (const check of Array.isArray(checks) ? checks.map(asRecord) : []) {
    const { name, priority, state, message } = check;
    lines.push(`  ${String(state).padEnd(8)} ${String(name)} (${String(priority)}): ${String(message)}`);
  }
  return { isUnhealthy, lines };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
