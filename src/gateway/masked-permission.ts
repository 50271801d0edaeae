import type { Audit, AuditEvent } from '../core/audit/types.ts';
import type { Change, EngagementDesk } from '../core/engagement/types.ts';
import type { KillRequest, KillSwitchMachine } from '../core/kill/types.ts';
import type { Masker, Redactor } from '../core/redaction/redactor.ts';

type Redacting = Pick<Redactor, 'redactText' | 'redactValue' | 'masker'>;

/**
 * The audit without what is secret for everybody, and without what a run's owner had found. Attack: whoever reads the
 * audit or its copy outside collects the passwords that runs found, and the keys that somebody pasted into a reason.
 */
export function maskAudit(audit: Audit, redactor: Redacting): Audit {
  const masked = (event: AuditEvent): AuditEvent => ({ ...event, data: dataOf(event, redactor) });
  return {
    append: (event) => audit.append(masked(event)),
    note: (event) => audit.note(masked(event)),
    requireWritable: () => audit.requireWritable(),
    page: (query) => audit.page(query),
    lastSeq: () => audit.lastSeq(),
    identity: () => audit.identity(),
    fault: () => audit.fault(),
    close: () => audit.close(),
  };
}

type Data = Record<string, unknown>;

function dataOf({ type, principal, data = {} }: AuditEvent, redactor: Redacting): Data {
  const plain = redactor.redactValue(data) as Data;
  if (!type.startsWith('run.') || principal === undefined) return plain;
  return maskWritten(plain, redactor.masker({ owner: principal }));
}

/**
 * Only what can hold a word of the caller. Attack: a target accepts `fd00::10` or a date as a password, and from then on
 * the audit would show neither that address nor the time.
 */
function maskWritten(data: Data, mask: Masker): Data {
  const { argv, targets, message } = data;
  return {
    ...data,
    ...(argv === undefined ? {} : { argv: mask.value(argv) }),
    ...(message === undefined ? {} : { message: mask.value(message) }),
    ...(Array.isArray(targets) ? { targets: targets.map((target) => maskTarget(target as Data, mask)) } : {}),
  };
}

function maskTarget(target: Data, mask: Masker): Data {
  return { ...target, given: mask.value(target['given']), canonical: mask.value(target['canonical']) };
}

/** The engagements as operators read them: a key that somebody pasted into a title or a reason is not handed on. */
export function maskDesk(desk: EngagementDesk, redactor: Redacting): EngagementDesk {
  const shown = <T>(value: T): T => redactor.redactValue(value) as T;
  const why = (at: Change): Change => ({ ...at, reason: redactor.redactText(at.reason) });
  return {
    list: () => shown(desk.list()),
    get: (id) => shown(desk.get(id)),
    versions: async (id) => shown(await desk.versions(id)),
    put: async (who, document, requestId) => shown(await desk.put(who, document, requestId)),
    remove: (who, id, at) => desk.remove(who, id, why(at)),
    revoke: async (who, id, at) => shown(await desk.revoke(who, id, why(at))),
    reinstate: async (who, id, at) => shown(await desk.reinstate(who, id, why(at))),
  };
}

/** The kill switch with its reasons masked before they are kept: a kill is never refused for its words. */
export function maskKillSwitch(killSwitch: KillSwitchMachine, { redactText }: Redacting): KillSwitchMachine {
  const why = (request: KillRequest): KillRequest => ({ ...request, reason: redactText(request.reason) });
  return {
    check: (engagement, trace) => killSwitch.check(engagement, trace),
    isOn: (engagement) => killSwitch.isOn(engagement),
    state: () => killSwitch.state(),
    engage: (request) => killSwitch.engage(why(request)),
    lift: (request) => killSwitch.lift(why(request)),
    load: () => killSwitch.load(),
    sentinelChanged: () => killSwitch.sentinelChanged(),
    engageBySignal: () => killSwitch.engageBySignal(),
    onChange: (listener) => killSwitch.onChange(listener),
  };
}
