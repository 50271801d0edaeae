import type { Run } from '../../../schemas/run-record.ts';
import type { AuditEvent } from '../audit/types.ts';
import type { SallyportError } from '../errors.ts';
import type { CallRequest } from './types.ts';

type Who = Pick<CallRequest, 'requestId'> & { readonly principal: { readonly id: string } };

/** A run before it is stored or started: everything that would run, masked as in its record. */
export function runEvent(type: 'run.accepted' | 'run.started', run: Run, { requestId, principal }: Who): AuditEvent {
  const { runId, engagement, planDigest, tool, toolVersion, state, risk, timeoutMs, targets, argv, degraded } = run;
  return {
    type,
    principal: principal.id,
    engagement: engagement ?? undefined,
    runId,
    requestId,
    digest: planDigest ?? undefined,
    data: { tool, toolVersion, state, risk, timeoutMs, targets, argv, degraded },
  };
}

/** A run that ended, with or without a process. */
export function endedEvent(run: Run): AuditEvent {
  const { runId, owner, engagement, planDigest, requestId, tool, state, error, exitCode, complete, durationMs } = run;
  const { startedAt, layers, stdout, stderr, findings } = run;
  return {
    type: 'run.ended',
    principal: owner,
    engagement: engagement ?? undefined,
    runId,
    requestId,
    digest: planDigest ?? undefined,
    data: {
      tool,
      state,
      code: error?.code ?? 'OK',
      startedAt,
      durationMs,
      exitCode,
      complete,
      layers,
      stdout: { bytes: stdout.bytes, sha256: stdout.sha256 },
      stderr: { bytes: stderr.bytes, sha256: stderr.sha256 },
      findings: findings.total,
    },
  };
}

/** A call that never became a run. The message may quote the caller: it is masked before. */
export function refusedEvent(
  { code, message }: Pick<SallyportError, 'code' | 'message'>,
  at: { readonly tool: string; readonly runId: string; readonly request: Who; readonly rule: string },
): AuditEvent {
  const { tool, runId, request, rule } = at;
  return {
    type: 'run.refused',
    principal: request.principal.id,
    runId,
    requestId: request.requestId,
    data: { tool, code, rule, message },
  };
}
