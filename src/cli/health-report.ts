import { oneLine } from './printable.ts';

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
  for (const check of asRecords(checks)) {
    const { name, priority, state, message, data } = check;
    lines.push(`  ${String(state).padEnd(8)} ${String(name)} (${String(priority)}): ${String(message)}`);
    if (state !== 'passing') lines.push(...pending(asRecord(data)));
  }
  return { isUnhealthy, lines: lines.map(oneLine) };
}

/** What of the configuration, or of the files of engagements, is not in force: what waits for a restart, and the faults. */
function pending({ needsRestart, faults }: Readonly<Record<string, unknown>>): readonly string[] {
  const waiting = Array.isArray(needsRestart) && needsRestart.length > 0 ? [needsRestart.join(', ')] : [];
  return [
    ...waiting.map((keys) => `           waits for a restart: ${keys}`),
    ...(Array.isArray(faults) ? faults : []).map((fault) => `           fault: ${faultOf(fault)}`),
  ];
}

/** Some checks say what is wrong in a sentence of their own. */
function faultOf(fault: unknown): string {
  if (typeof fault === 'string') return fault;
  const { key, from, wrong } = asRecord(fault);
  return `${key === '' ? 'configuration' : String(key)} (${String(from)}): ${String(wrong)}`;
}

function asRecords(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(asRecord) : [];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
