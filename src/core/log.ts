/** The closed list of log events: dotted, past tense. Nothing is logged under another name. */
export const LOG_EVENTS = [
  'gateway.started',
  'gateway.stopped',
  'gateway.stop_slow',
  'config.loaded',
  'config.reloaded',
  'config.rejected',
  'request.finished',
  'request.aborted',
  'request.failed',
  'auth.refused',
  'key.created',
  'key.revoked',
  'host.refused',
  'origin.refused',
  'rate.limited',
  'run.queued',
  'run.started',
  'run.finished',
  'run.refused',
  'run.failed',
  'run.cancelled',
  'run.survived',
  'run.detached',
  'run.recovered',
  'run.removed',
  'store.opened',
  'store.failed',
  'store.imported',
  'output.swept',
  'scratch.kept',
  'leftovers.ended',
  'tool.probed',
  'tool.enabled',
  'tool.disabled',
  'breaker.changed',
  'health.changed',
  'layer.probed',
  'mcp.session_opened',
  'mcp.session_closed',
  'mcp.refused',
  'secret.kept',
  'secret.read',
] as const;
export type LogEvent = (typeof LOG_EVENTS)[number];

/** What core logs with; pino behind it. Fields are data, never concatenated text. */
export interface Log {
  info(event: LogEvent, fields?: Record<string, unknown>): void;
  warn(event: LogEvent, fields?: Record<string, unknown>): void;
  error(event: LogEvent, fields?: Record<string, unknown>): void;
}
