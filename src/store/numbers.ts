import type { FindingKind, Severity } from '../../schemas/finding.ts';
import type { RunState } from '../../schemas/run-record.ts';
import type { StreamName } from '../core/store/types.ts';

/** Numbers of the states in the file: never changed, only added to. Below 4 a run has not ended. */
export const STATE = {
  awaiting_approval: 1,
  queued: 2,
  running: 3,
  succeeded: 4,
  failed: 5,
  timed_out: 6,
  cancelled: 7,
  ended_by_policy: 8,
  lost: 9,
} as const satisfies Record<RunState, number>;
/** The lowest number of a final state. */
export const FIRST_FINAL = 4;

/** Numbers of the kinds of findings in the file: never changed, only added to. */
export const KIND = {
  host: 1,
  port: 2,
  service: 3,
  script: 4,
  dns_record: 5,
  path: 6,
  credential: 7,
  injection: 8,
  tls: 9,
  note: 10,
} as const satisfies Record<FindingKind, number>;

/** Numbers of the severities in the file, worse is higher. */
export const SEVERITY = {
  info: 1,
  low: 2,
  medium: 3,
  high: 4,
  critical: 5,
} as const satisfies Record<Severity, number>;

/** Numbers of the output streams in the file. */
export const STREAM = { stdout: 1, stderr: 2 } as const satisfies Record<StreamName, number>;
