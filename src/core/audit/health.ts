import type { HealthCheck } from '../health/monitor.ts';
import type { Audit } from './types.ts';

/** Critical: while the audit cannot be written nothing may start. */
export function auditWritable(audit: Pick<Audit, 'fault' | 'identity'>): HealthCheck {
  return {
    name: 'audit',
    priority: 'critical',
    run: async () => {
      const why = audit.fault();
      if (why !== undefined) return { ok: false, message: `the audit cannot be written: ${why}` };
      const { keyId, checkpoint } = audit.identity();
      return { ok: true, message: 'the audit can be written', data: { keyId, checkpoint: checkpoint?.seq ?? 0 } };
    },
  };
}
