import type { AuditEvent } from '../audit/types.ts';
import { cleanText } from '../redaction/untrusted.ts';
import type { KillRequest } from './types.ts';

const MAX_REASON = 500;

/** The reason as it is stored and shown: read on the screens of operators and out of the audit. */
export function cleanReason({ reason }: KillRequest): string {
  return cleanText(reason, MAX_REASON).trim();
}

/** The audit record of a switch that was pulled or lifted. */
export function killEvent(
  type: 'kill.engaged' | 'kill.lifted',
  { by, engagement, requestId }: KillRequest,
  data: Readonly<Record<string, unknown>>,
): AuditEvent {
  const isPerson = by !== 'signal' && by !== 'file';
  const scope = engagement === undefined ? 'all' : 'engagement';
  return { type, principal: isPerson ? by : undefined, engagement, requestId, data: { scope, by, ...data } };
}
