import type { Outcome } from '../../../schemas/run.ts';
import type { ErrorCode, SallyportError } from '../errors.ts';

const REJECTED: ReadonlySet<ErrorCode> = new Set(['ERR_TOOL_BUSY', 'ERR_TOOL_CIRCUIT_OPEN', 'ERR_SHUTTING_DOWN']);
const FAILED: ReadonlySet<ErrorCode> = new Set([
  'ERR_TOOL_UNAVAILABLE',
  'ERR_EXEC_CONFINEMENT',
  'ERR_EXEC_HELPER_MISSING',
  'ERR_EXEC_KERNEL_UNSUPPORTED',
  'ERR_EXEC_SYSCALL_DENIED',
  'ERR_EXEC_DISK_FULL',
  'ERR_EXEC_DESCRIPTORS',
  'ERR_EXEC_PROCESSES',
  'ERR_STORE_UNAVAILABLE',
  'ERR_AUDIT_UNAVAILABLE',
  'ERR_INTERNAL',
  'ERR_TOOL_FAILED',
]);

/** The outcome of a call that ended with an error and never had a process result. */
export function outcomeOf(error: SallyportError): Outcome {
  if (error.code === 'ERR_RUN_CANCELLED') return 'cancelled';
  if (error.code === 'ERR_TOOL_TIMEOUT') return 'timed_out';
  if (REJECTED.has(error.code)) return 'rejected';
  return FAILED.has(error.code) ? 'failed' : 'refused';
}

/** The rule that refused, for a metric label: a closed set, because rule ids are written in our code only. */
export function ruleOf(error: SallyportError): string {
  const rule = error.details?.['rule'];
  if (typeof rule === 'string') return rule;
  if (error.code === 'ERR_INPUT_INVALID') return 'input.schema';
  return error.code === 'ERR_TOOL_DISABLED' ? 'tool.enabled' : 'none';
}
