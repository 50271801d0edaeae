import type { ErrorBody } from '../../schemas/error.ts';

interface ErrorRow {
  /** HTTP status of the answer (RFC 9110). */
  readonly status: number;
  /** `result`: MCP tool result with `isError`; `params`: JSON-RPC invalid params; `http`: answered before JSON-RPC. */
  readonly mcp: 'result' | 'params' | 'internal' | 'http';
  /** Whether the circuit breaker of the tool counts it as a failure. Never true for a client's mistake. */
  readonly trips: boolean;
}

const row = (status: number, mcp: ErrorRow['mcp'] = 'result', trips = false): ErrorRow => ({ status, mcp, trips });

/** The closed table of error codes: the code is the API, the status and the MCP form are columns. */
export const ERRORS = {
  ERR_INPUT_INVALID: row(400),
  ERR_AUTH_REQUIRED: row(401, 'http'),
  ERR_AUTH_FORBIDDEN: row(403, 'http'),
  ERR_HOST_FORBIDDEN: row(403, 'http'),
  ERR_ORIGIN_FORBIDDEN: row(403, 'http'),
  ERR_ROUTE_UNKNOWN: row(404, 'http'),
  ERR_METHOD_UNSUPPORTED: row(405, 'http'),
  ERR_NOT_ACCEPTABLE: row(406, 'http'),
  ERR_BODY_TOO_LARGE: row(413, 'http'),
  ERR_MEDIA_TYPE_UNSUPPORTED: row(415, 'http'),
  ERR_TARGET_INVALID: row(400),
  ERR_TARGET_OUT_OF_SCOPE: row(403),
  ERR_TARGET_UNRESOLVED: row(403),
  ERR_TARGET_UNPINNABLE: row(403),
  ERR_TARGET_TOO_LARGE: row(403),
  ERR_RISK_TOO_HIGH: row(403),
  ERR_ENGAGEMENT_REQUIRED: row(403),
  ERR_ENGAGEMENT_UNKNOWN: row(404),
  ERR_ENGAGEMENT_NOT_OPEN: row(403),
  ERR_ENGAGEMENT_EXPIRED: row(403),
  ERR_ENGAGEMENT_REVOKED: row(403),
  ERR_ENGAGEMENT_TOOL_DENIED: row(403),
  ERR_ENGAGEMENT_INVALID: row(400),
  ERR_ENGAGEMENT_READ_ONLY: row(409),
  ERR_PLAN_UNKNOWN: row(404),
  ERR_PLAN_EXPIRED: row(403),
  ERR_PLAN_USED: row(403),
  ERR_PLAN_MISMATCH: row(403),
  ERR_PLAN_CHANGED: row(403),
  ERR_PLAN_RESOLUTION_CHANGED: row(403),
  ERR_PLAN_ENGAGEMENT_CHANGED: row(403),
  ERR_APPROVAL_UNKNOWN: row(404),
  ERR_APPROVAL_SELF: row(403),
  ERR_APPROVAL_OVER: row(409),
  ERR_APPROVAL_REPEATED: row(409),
  ERR_APPROVAL_DENIED: row(403),
  ERR_APPROVAL_EXPIRED: row(403),
  ERR_KILL_SWITCH: row(423),
  ERR_BUDGET_EXHAUSTED: row(429),
  ERR_QUOTA_EXCEEDED: row(429),
  ERR_TOOL_DISABLED: row(403),
  ERR_TOOL_UNKNOWN: row(404, 'params'),
  ERR_SECRET_UNKNOWN: row(404),
  ERR_RUN_UNKNOWN: row(404),
  ERR_RUN_UNFINISHED: row(409),
  ERR_RUN_WITHOUT_RESULT: row(409),
  ERR_RUN_RETAINED: row(409),
  ERR_IDEMPOTENCY_CONFLICT: row(409),
  ERR_RATE_LIMITED: row(429, 'http'),
  ERR_RUN_CANCELLED: row(499),
  ERR_RUN_LOST: row(500),
  ERR_TOOL_FAILED: row(502, 'result', false),
  ERR_TOOL_BUSY: row(503),
  ERR_TOOL_CIRCUIT_OPEN: row(503),
  ERR_TOOL_UNAVAILABLE: row(503, 'result', true),
  ERR_OVERLOADED: row(503, 'http'),
  ERR_SHUTTING_DOWN: row(503),
  ERR_STORE_UNAVAILABLE: row(503),
  ERR_AUDIT_UNAVAILABLE: row(503),
  ERR_EXEC_CONFINEMENT: row(503),
  ERR_EXEC_HELPER_MISSING: row(503),
  ERR_EXEC_KERNEL_UNSUPPORTED: row(503),
  ERR_EXEC_SYSCALL_DENIED: row(503),
  ERR_EXEC_DISK_FULL: row(503),
  ERR_EXEC_DESCRIPTORS: row(503),
  ERR_EXEC_PROCESSES: row(503),
  ERR_TOOL_TIMEOUT: row(504, 'result', true),
  ERR_CONFIG_INVALID: row(500),
  ERR_INTERNAL: row(500, 'internal'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** What an error carries besides its code and message. */
export interface ErrorExtras {
  /** Milliseconds after which a retry may succeed. */
  readonly retryAfterMs?: number;
  /** Public data that belongs to the code (rule id, the offending field, the partial result). */
  readonly details?: Record<string, unknown>;
  /**
   * Overrides the table's `trips` for one error: `true` when the tool failed by its own rule (ERR_TOOL_FAILED),
   * `false` when the caller brought it about (a time limit shorter than the tool's own). Never sent to a client.
   */
  readonly trips?: boolean;
  /** Kept for the log, never sent to a client. */
  readonly cause?: unknown;
}

/** The one error class. Its message and details are public; its cause never leaves the process. */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly details: Record<string, unknown> | undefined;
  /** Whether the circuit breaker of the tool counts it as a failure. */
  readonly trips: boolean;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = 'SallyportError';
    this.code = code;
    this.retryAfterMs = extras.retryAfterMs;
    this.details = extras.details;
    this.trips = extras.trips ?? ERRORS[code].trips;
  }

  /** HTTP status of this error. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Turns anything thrown into a public error; an unknown one becomes ERR_INTERNAL whose message says nothing. */
export function toSallyportError(thrown: unknown): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  return new SallyportError('ERR_INTERNAL', 'Something went wrong inside the gateway; the log has the cause.', {
    cause: thrown,
  });
}

/** The public body of an error, the same on every channel. */
export function errorBody(error: SallyportError, requestId: string): ErrorBody {
  return {
    code: error.code,
    message: error.message,
    requestId,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(error.retryAfterMs) }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}
