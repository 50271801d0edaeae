import type { AuditRecord, AuditType } from '../../../schemas/audit.ts';
import { canonicalText } from './canonical.ts';

/** The version of the Open Cybersecurity Schema Framework that the events are of (schema.ocsf.io). */
export const OCSF_VERSION = '1.2.0';

const CATEGORY = { category_uid: 6, category_name: 'Application Activity' } as const;
const CLASS = { class_uid: 6003, class_name: 'API Activity' } as const;
const ACTIVITY = { Create: 1, Read: 2, Update: 3, Delete: 4, Other: 99 } as const;
const SEVERITY = { Informational: 1, Low: 2, Medium: 3, High: 4 } as const;

interface Meaning {
  readonly activity: keyof typeof ACTIVITY;
  readonly severity: keyof typeof SEVERITY;
  /** A refusal is a failure of the one who asked. */
  readonly status: 'Success' | 'Failure';
}

const done = (activity: Meaning['activity'], severity: Meaning['severity'] = 'Informational'): Meaning => ({
  activity,
  severity,
  status: 'Success',
});
const refused = (activity: Meaning['activity']): Meaning => ({ activity, severity: 'Low', status: 'Failure' });

/** What each type of record is in the words of OCSF. */
const MEANINGS: Readonly<Record<AuditType, Meaning>> = {
  'gateway.started': done('Other'),
  'gateway.stopped': done('Other'),
  'config.applied': done('Update', 'Low'),
  'engagement.put': done('Update', 'Low'),
  'engagement.removed': done('Delete', 'Low'),
  'engagement.revoked': done('Update', 'Medium'),
  'engagement.reinstated': done('Update', 'Medium'),
  'plan.made': done('Create'),
  'plan.refused': refused('Create'),
  'run.accepted': done('Create'),
  'run.refused': refused('Create'),
  'run.started': done('Update'),
  'run.ended': done('Update'),
  'run.removed': done('Delete', 'Low'),
  'approval.requested': done('Create'),
  'approval.confirmed': done('Update'),
  'approval.approved': done('Update', 'Low'),
  'approval.denied': refused('Update'),
  'approval.refused': refused('Update'),
  'approval.expired': refused('Update'),
  'kill.engaged': done('Update', 'High'),
  'kill.lifted': done('Update', 'High'),
  'tool.enabled': done('Update', 'Low'),
  'tool.disabled': done('Update', 'Low'),
  'secret.read': done('Read', 'Medium'),
  'key.created': done('Create', 'Medium'),
  'key.revoked': done('Delete', 'Medium'),
};

/** A record as one event of OCSF class 6003, API Activity, in one line of JSON. `version` is that of the gateway. */
export function ocsfText(record: AuditRecord, version: string): string {
  const { activity, severity, status } = MEANINGS[record.type];
  const time = Date.parse(record.at);
  return canonicalText({
    ...CATEGORY,
    ...CLASS,
    activity_id: ACTIVITY[activity],
    activity_name: activity,
    type_uid: CLASS.class_uid * 100 + ACTIVITY[activity],
    type_name: `${CLASS.class_name}: ${activity}`,
    severity_id: SEVERITY[severity],
    severity,
    status_id: status === 'Success' ? 1 : 2,
    status,
    time,
    message: record.type,
    metadata: metadataOf(record, version),
    actor: actorOf(record),
    api: apiOf(record),
    // The class requires it, and the audit does not keep addresses of callers.
    src_endpoint: { name: 'unknown' },
    resources: resourcesOf(record),
    unmapped: { data: record.data, digest: record.digest ?? undefined, prev: record.prev, hash: record.hash },
  });
}

function metadataOf({ seq, type, hash, at }: AuditRecord, version: string) {
  return {
    version: OCSF_VERSION,
    product: { name: 'Sallyport', vendor_name: 'Sallyport', version },
    uid: hash,
    sequence: seq,
    event_code: type,
    log_name: 'audit',
    log_provider: 'sallyport',
    original_time: at,
  };
}

/** OCSF wants a user or an application: what nobody asked for was done by the gateway. */
function actorOf({ principal }: AuditRecord) {
  return principal === null ? { app_name: 'sallyport' } : { user: { uid: principal } };
}

function apiOf({ type, requestId }: AuditRecord) {
  const request = requestId === null ? undefined : { uid: requestId };
  return { operation: type, service: { name: 'sallyport' }, request };
}

function resourcesOf({ runId, engagement }: AuditRecord) {
  const resources = [
    ...(runId === null ? [] : [{ type: 'run', uid: runId }]),
    ...(engagement === null ? [] : [{ type: 'engagement', uid: engagement }]),
  ];
  return resources.length === 0 ? undefined : resources;
}
