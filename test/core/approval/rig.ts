import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { EngagementDocument } from '../../../schemas/engagement.ts';
import type { Run } from '../../../schemas/run-record.ts';
import { createApprovals } from '../../../src/core/approval/approvals.ts';
import type { ApprovalMessage, ApprovalRequest, Approvals } from '../../../src/core/approval/types.ts';
import type { AuditEvent } from '../../../src/core/audit/types.ts';
import type { Principal, Scope } from '../../../src/core/auth/types.ts';
import type { Engagement } from '../../../src/core/engagement/types.ts';
import { SallyportError } from '../../../src/core/errors.ts';
import { createRedactor } from '../../../src/core/redaction/redactor.ts';
import type { Store } from '../../../src/core/store/types.ts';
import { openStore } from '../../../src/store/store.ts';
import { newRunId, sampleEvent, sampleRun } from '../../store/rig.ts';

/** The digest of every plan here. */
export const DIGEST = 'a'.repeat(64);
/** When everything here begins, milliseconds since the epoch. */
export const START = 1_700_000_000_000;
const HOUR = 3_600_000;

/** A key that may consent, unless other scopes are given. */
export function key(id: string, name = id, scopes: readonly Scope[] = ['runs:approve', 'runs:execute']): Principal {
  return { id, name, scopes: new Set(scopes) };
}

/** Who asks in every test. */
export const ASKER = key('key_asker', 'agent-red', ['runs:execute']);
export const ALICE = key('key_alice', 'alice');
export const BOB = key('key_bob', 'bob');

/** Everything that a test looks at and turns. */
export interface Rig {
  readonly approvals: Approvals;
  readonly store: Store;
  /** `newest`: the newest time that is known from elsewhere. */
  readonly clock: { wall: number; steady: number; newest: number };
  readonly audited: AuditEvent[];
  readonly told: ApprovalMessage[];
  readonly keys: Map<string, Principal>;
  readonly engagement: { document: EngagementDocument; refusal: SallyportError | undefined; isGone: boolean };
  readonly audit: { fault: boolean; append: (event: AuditEvent) => Promise<void> };
  readonly counted: Record<string, number>;
  readonly secrets: ReturnType<typeof createRedactor>;
  /** Stores a run that waits, without waiting for it. */
  readonly ask: (changes?: Partial<ApprovalRequest>) => Promise<Run>;
  /** The same, and lets it wait; resolves when people were told, or when it is over. */
  readonly start: (changes?: Partial<ApprovalRequest>) => Promise<Waiting>;
  /** The same desk in another life of the gateway. */
  readonly restart: () => Approvals;
  readonly types: () => readonly string[];
  /** Resolves when people are told of a run the next time. */
  readonly heard: (runId: string) => Promise<unknown>;
}

/** A run that waits. */
export interface Waiting {
  readonly run: Run;
  readonly runId: string;
  readonly stop: AbortController;
  /** `consented`, or the code of the error. */
  readonly end: Promise<string>;
}

/** A decision with the digest of every plan here. */
export function saying(decision: 'approved' | 'denied', patch: { digest?: string; reason?: string } = {}) {
  return { decision, digest: DIGEST, reason: 'looked at it', requestId: 'req_1', ...patch };
}

/** `done`, or the code of the error. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'done';
  } catch (thrown) {
    return thrown instanceof SallyportError ? thrown.code : String(thrown);
  }
}

/** The engagement of every run here. */
export function document(approvals: EngagementDocument['approvals'] = { from: 'intrusive' }): EngagementDocument {
  return {
    id: 'acme',
    title: 'ACME',
    approver: 'j.doe',
    principals: ['*'],
    scope: { allow: ['10.0.0.0/8'] },
    tools: { allow: ['*'] },
    risk: 'exploit',
    ...(approvals === undefined ? {} : { approvals }),
  };
}

/** A desk over a real store, with clocks and keys of its own. */
export async function openDesk(t: TestContext, approvals?: EngagementDocument['approvals']): Promise<Rig> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-approval-'));
  const store = await openStore(dataDir);
  t.after(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const clock = { wall: START, steady: 0, newest: 0 };
  const audited: AuditEvent[] = [];
  const told: ApprovalMessage[] = [];
  const announced = new EventEmitter();
  const counted: Record<string, number> = {};
  const keys = new Map([ASKER, ALICE, BOB].map((each) => [each.id, each]));
  const engagement: Rig['engagement'] = { document: document(approvals), refusal: undefined, isGone: false };
  const secrets = createRedactor();
  const audit: Rig['audit'] = { fault: false, append: async (event) => void audited.push(event) };
  const requireWritable = () => {
    if (audit.fault) throw new SallyportError('ERR_AUDIT_UNAVAILABLE', 'The audit cannot be written.');
  };
  const make = (): Approvals =>
    createApprovals({
      store: store.approvals,
      runs: store.runs,
      engagements: {
        get: (id) =>
          id === 'acme' && !engagement.isGone ? ({ id, document: engagement.document } as Engagement) : undefined,
        requireOpen: () => {
          if (engagement.refusal !== undefined) throw engagement.refusal;
        },
      },
      audit: {
        requireWritable,
        append: async (event) => {
          requireWritable();
          await audit.append(event);
          return {} as never;
        },
        note: (event) => void audited.push(event),
      },
      tell: (message) => {
        told.push(message);
        announced.emit(message.data.runId);
      },
      principal: async (id) => keys.get(id),
      masker: (owner) => secrets.masker({ owner }),
      clock: { now: () => clock.wall, monotonic: () => clock.steady },
      recorder: {
        count: (name, labels) => {
          const label = `${name} ${Object.values(labels).join(' ')}`;
          counted[label] = (counted[label] ?? 0) + 1;
        },
        gauge: (name, _labels, value) => void (counted[name] = value),
        observe: () => undefined,
      },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      notBefore: () => clock.newest,
      lookMs: 2,
    });
  let desk = make();
  const ask: Rig['ask'] = async (changes = {}) => {
    const request = requestOf(newRunId(), clock.wall, changes);
    const { runId, quorum, expiresAt } = request;
    const run = sampleRun({
      runId,
      owner: request.requester.id,
      engagement: request.engagement,
      state: 'awaiting_approval',
      risk: 'intrusive',
      planDigest: request.digest,
      approval: { quorum, approvals: 0, expiresAt: new Date(expiresAt).toISOString() },
      createdAt: new Date(clock.wall).toISOString(),
    });
    await store.runs.create(run, { event: sampleEvent(1, clock.wall), approval: request });
    return run;
  };
  return {
    get approvals() {
      return desk;
    },
    store,
    clock,
    audited,
    told,
    keys,
    engagement,
    audit,
    counted,
    secrets,
    ask,
    start: async (changes) => {
      const run = await ask(changes);
      const heard = once(announced, run.runId);
      const waits = waiting(desk, run);
      await Promise.race([heard, waits.end]);
      return waits;
    },
    restart: () => (desk = make()),
    heard: (runId) => once(announced, runId),
    types: () => audited.map(({ type }) => type),
  };
}

/** Lets a stored run wait for consent. */
export function waiting(approvals: Approvals, run: Run): Waiting {
  const stop = new AbortController();
  const ended = codeOf(approvals.wait(run, stop.signal));
  return { run, runId: run.runId, stop, end: ended.then((code) => (code === 'done' ? 'consented' : code)) };
}

function requestOf(runId: string, now: number, changes: Partial<ApprovalRequest>): ApprovalRequest {
  return {
    runId,
    requester: { id: ASKER.id, name: ASKER.name },
    engagement: 'acme',
    digest: DIGEST,
    quorum: 1,
    approvers: null,
    selfConfirm: false,
    requestedAt: now,
    expiresAt: now + HOUR,
    ...changes,
  };
}
