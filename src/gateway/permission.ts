import { uptime } from 'node:os';
import { join } from 'node:path';
import { createApprovals } from '../core/approval/approvals.ts';
import type { Approvals } from '../core/approval/types.ts';
import { openKeyWatch } from '../core/audit/key-watch.ts';
import type { Audit, Outbound } from '../core/audit/types.ts';
import type { KeyStore, Principal } from '../core/auth/types.ts';
import { createBudgets } from '../core/budget/budgets.ts';
import type { DurableBudgets } from '../core/budget/types.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { createEngagements, type OpenedEngagements } from '../core/engagement/engagements.ts';
import { createKillSwitch } from '../core/kill/kill-switch.ts';
import type { EngagementDesk, Engagements } from '../core/engagement/types.ts';
import type { EndableRuns, KillSwitchMachine } from '../core/kill/types.ts';
import type { Log } from '../core/log.ts';
import type { Recorder } from '../core/metrics/table.ts';
import { createPolicyWatch } from '../core/policy-watch/policy-watch.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import type { Store } from '../core/store/types.ts';
import { createWebhooks } from '../core/webhook/webhooks.ts';
import { createKillFile } from '../store/kill-file.ts';
import { readEngagementFiles, watchEngagementFiles } from '../config/engagements.ts';
import { openAudit } from './audit.ts';
import { maskAudit, maskDesk, maskKillSwitch } from './masked-permission.ts';
import type { Settings } from './settings.ts';

/** The secrets that sign what leaves the process; absent where the configuration names no file. */
export interface OutboundSecrets {
  readonly approvals?: string | undefined;
  readonly anchor?: string | undefined;
}

/** What the operator's permission stands on. */
export interface PermissionParts {
  readonly dataDir: string;
  readonly store: Store;
  readonly outbound: Outbound;
  readonly outboundSecrets: OutboundSecrets;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly version: string;
  readonly settings: () => Settings;
  /** Names of the loaded tools. */
  readonly tools: () => readonly string[];
  /** The live runs, once there are some. */
  readonly runs: () => EndableRuns;
  /** Processes that outlived the end of their run. */
  readonly survivors: () => number;
  readonly principal: (id: string) => Promise<Principal | undefined>;
  readonly signal: AbortSignal;
}

/** Everything that says whether a run may be: what the operator wrote, what people said, what is left, and the record of it. */
export interface Permission {
  readonly audit: Audit;
  readonly engagements: Engagements;
  readonly desk: EngagementDesk;
  /** Makes the engagements anew after a change of the configuration. Throws ERR_CONFIG_INVALID and changes nothing. */
  reconfigure(): void;
  readonly budgets: DurableBudgets;
  readonly killSwitch: KillSwitchMachine;
  readonly approvals: Approvals;
  /** Nobody is found in it who is not in the audit. */
  readonly keys: KeyStore;
  /** From here on runs end when their permission does. */
  watch(): void;
  /** Ends every watch; the audit is closed last, by `close`. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens what the permission stands on, in the order in which each needs the one before. Throws ERR_AUDIT_UNAVAILABLE,
 * ERR_STORE_UNAVAILABLE or ERR_CONFIG_INVALID: then nothing may start.
 */
export async function openPermission(parts: PermissionParts): Promise<Permission> {
  const { store, clock, recorder, log, principal } = parts;
  const audit = maskAudit(await openAudit(parts), parts.redactor);
  const keyWatch = await openKeyWatch({ keys: store.keys, audit, log });
  // The kill switch knows engagements, and the view of an engagement knows the kill switch.
  const late: { kill?: KillSwitchMachine } = {};
  const isKilled = (engagement: string) => late.kill?.isOn(engagement) ?? false;
  const newest = await newestMoment(store);
  const notBefore = () => newest;
  const opened = await openEngagements(parts, { audit, isKilled, notBefore });
  const { engagements } = opened;
  const budgets = createBudgets({ store: store.budgets, engagements: () => engagements.all(), clock, recorder, log });
  await budgets.load();
  const { killSwitch, stopFile } = await openKillSwitch(parts, { audit, engagements });
  late.kill = killSwitch;
  const { webhooks, approvals } = openApprovals(parts, { audit, engagements, notBefore });
  let watch: ReturnType<typeof createPolicyWatch> | undefined;
  return {
    audit,
    engagements,
    desk: maskDesk(opened.desk, parts.redactor),
    reconfigure: () => opened.reconfigure(),
    budgets,
    killSwitch: maskKillSwitch(killSwitch, parts.redactor),
    approvals,
    keys: keyWatch.keys,
    watch: () => {
      watch = createPolicyWatch({ engagements, killSwitch, runs: parts.runs(), asker: principal, clock, log });
    },
    stop: async () => {
      watch?.stop();
      stopFile();
      await Promise.all([webhooks.close(), keyWatch.stop()]);
    },
    close: async () => {
      await budgets.close();
      audit.note({ type: 'gateway.stopped', data: { version: parts.version } });
      await audit.close();
    },
  };
}

/** The desk of consent, and how people are told of it. */
function openApprovals(
  parts: PermissionParts,
  at: Pick<Permission, 'audit' | 'engagements'> & { readonly notBefore: () => number },
) {
  const { store, clock, recorder, log, settings, principal, outbound } = parts;
  const webhooks = createWebhooks({
    outbound,
    urls: () => settings().config.approvals.webhookUrls,
    secret: parts.outboundSecrets.approvals,
    timeoutMs: () => settings().config.approvals.webhookTimeoutMs,
    clock,
    recorder,
    log,
  });
  const approvals = createApprovals({
    store: store.approvals,
    runs: store.runs,
    ...at,
    tell: (message) => webhooks.tell(message),
    principal,
    masker: (owner) => parts.redactor.masker({ owner }),
    clock,
    recorder,
    log,
  });
  return { webhooks, approvals };
}

/** Time between two looks whether an engagement opened or closed, for the metric. */
const REFRESH_MS = 5000;

async function openEngagements(
  parts: PermissionParts,
  at: { readonly audit: Audit; readonly isKilled: (engagement: string) => boolean; readonly notBefore: () => number },
): Promise<OpenedEngagements> {
  const { store, clock, recorder, log, settings, signal } = parts;
  const directory = settings().config.engagements.directory;
  const opened = await createEngagements({
    ...at,
    store: store.engagements,
    makePolicy: (rules) => settings().makePolicy(rules),
    configured: () => settings().defaultEngagement,
    files: readEngagementFiles(directory),
    tools: parts.tools,
    clock: windowClock(clock),
    recorder,
    log,
  });
  watchEngagementFiles({ directory, onChange: (files) => void opened.setFiles(files), signal });
  const look = setInterval(() => void opened.refresh(), REFRESH_MS).unref();
  signal.addEventListener('abort', () => clearInterval(look), { once: true });
  return opened;
}

/**
 * For windows: since boot, with the time in which the machine slept (CLOCK_BOOTTIME), which the monotonic clock leaves
 * out; a machine that wakes up must not look like one whose clock was set forward.
 */
function windowClock(clock: Clock): Clock {
  return clock === systemClock ? { now: () => clock.now(), monotonic: () => uptime() * 1000 } : clock;
}

/** A clock that was set back while nothing ran must not open again what was closed. */
async function newestMoment({ audit }: Store): Promise<number> {
  const last = await audit.last();
  return last === undefined ? 0 : Date.parse(last.at);
}

async function openKillSwitch(
  parts: PermissionParts,
  { audit, engagements }: Pick<Permission, 'audit' | 'engagements'>,
) {
  const { store, clock, recorder, log, settings, runs, survivors } = parts;
  const sentinel = createKillFile(join(parts.dataDir, settings().config.kill.file));
  const killSwitch = createKillSwitch({
    store: store.kills,
    audit,
    runs: { subjects: () => runs().subjects(), endWhere: (judge) => runs().endWhere(judge) },
    sentinel,
    knows: (id) => engagements.get(id) !== undefined,
    survivors,
    clock,
    recorder,
    log,
  });
  await killSwitch.load();
  return { killSwitch, stopFile: sentinel.watch(() => killSwitch.sentinelChanged()) };
}
