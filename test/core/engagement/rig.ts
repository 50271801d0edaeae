import type { EngagementDocument, EngagementVersion } from '../../../schemas/engagement.ts';
import type { AuditEvent } from '../../../src/core/audit/types.ts';
import { type Principal, SCOPES } from '../../../src/core/auth/types.ts';
import type { PolicyRules } from '../../../src/core/engagement/compile.ts';
import { createEngagements, type EngagementParts } from '../../../src/core/engagement/engagements.ts';
import type { EngagementFile, EngagementFiles } from '../../../src/core/engagement/file-set.ts';
import type { Revocation } from '../../../src/core/engagement/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import type { EngagementStore } from '../../../src/core/store/types.ts';
import type { TargetPolicy } from '../../../src/core/targets/types.ts';

/** Some moment; no test depends on which. */
export const NOW = Date.parse('2026-11-25T10:00:00Z');

/** A sound document. */
export function sample(changes: Partial<EngagementDocument> = {}): EngagementDocument {
  return {
    id: 'acme',
    title: 'ACME internal',
    approver: 'j.doe',
    principals: ['agent-red'],
    scope: { allow: ['10.20.0.0/16'] },
    tools: { allow: ['*'] },
    risk: 'active',
    window: { until: '2027-01-01T00:00:00Z' },
    ...changes,
  };
}

/** A key of a name; its id is derived from that. */
export function key(name: string): Principal {
  return { id: `key_${name}`, name, scopes: new Set(SCOPES) };
}

/** Files as a reader gives them: each document in a file of its id. */
export function files(...documents: readonly unknown[]): EngagementFiles {
  const read = documents.map((document): EngagementFile => {
    return { file: `/e/${(document as { id?: string }).id}.yaml`, document, lineOf: () => 7 };
  });
  return { documents: read, notices: [] };
}

/** A policy that pins nothing and remembers the rules it was made of. */
export function policyOf(rules: PolicyRules): TargetPolicy & { readonly rules: PolicyRules } {
  return { rules, pin: () => Promise.reject(new Error('no targets in this test')) };
}

/** A store in memory. `fail` makes every write reject from then on. */
export function memoryStore(): EngagementStore & { fail: boolean; readonly history: EngagementVersion[] } {
  const history: EngagementVersion[] = [];
  const rest = new Map<string, EngagementVersion>();
  const revoked = new Map<string, Revocation>();
  const store = {
    fail: false,
    history,
    current: async () => [...rest.values()],
    put: async (version: EngagementVersion) => {
      requireUp();
      history.push(version);
      if (version.source === 'rest') rest.set(version.id, version);
    },
    remove: async (id: string) => {
      requireUp();
      return rest.delete(id);
    },
    versions: async (id: string) => history.filter((each) => each.id === id).toReversed(),
    revocations: async () => new Map(revoked),
    setRevocation: async (id: string, revocation: Revocation | null) => {
      requireUp();
      if (revocation === null) revoked.delete(id);
      else revoked.set(id, revocation);
    },
  };
  const requireUp = (): void => {
    if (store.fail) throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The store is gone.');
  };
  return store;
}

/** Engagements over a store in memory, a clock that the test moves, and an audit that the test reads. */
export async function open(changes: Partial<EngagementParts> = {}) {
  const time = { wall: NOW, steady: 5000 };
  const audited: AuditEvent[] = [];
  const order: string[] = [];
  const logged: { event: string; fields: Record<string, unknown> }[] = [];
  const gauges = new Map<string, number>();
  const state = { auditFails: false, killed: new Set<string>() };
  const store = memoryStore();
  const note = (event: AuditEvent): void => {
    audited.push(event);
    order.push(`audit ${event.type}`);
  };
  const keep = (event: string, fields: Record<string, unknown> = {}) => void logged.push({ event, fields });
  const opened = await createEngagements({
    store,
    audit: {
      note,
      append: async (event) => {
        if (state.auditFails) throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
        note(event);
        return {} as never;
      },
    },
    clock: { now: () => time.wall, monotonic: () => time.steady },
    recorder: {
      count: () => undefined,
      observe: () => undefined,
      gauge: (_name, labels, value) => void gauges.set((labels as { state: string }).state, value),
    },
    log: { info: keep, warn: keep, error: keep },
    makePolicy: policyOf,
    configured: () => sample({ id: 'default', title: 'Default', principals: ['*'] }),
    files: files(),
    notBefore: () => 0,
    isKilled: (id) => state.killed.has(id),
    tools: () => ['nmap', 'dig', 'gobuster'],
    ...changes,
  });
  opened.engagements.onChange(() => order.push('applied'));
  const pass = (ms: number): void => {
    time.wall += ms;
    time.steady += ms;
  };
  return { ...opened, store, time, pass, audited, order, logged, gauges, state };
}

/** The code and details of what a call throws. */
export function thrownBy(work: () => unknown): SallyportError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof SallyportError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

/** The error that a promise rejects with. */
export async function rejection(work: Promise<unknown>): Promise<SallyportError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof SallyportError) return thrown;
  throw new Error(`rejected with ${String(thrown)}`);
}
