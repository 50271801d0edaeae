import type { Config } from '../../schemas/config.ts';
import { unusable } from '../core/auth/keys.ts';
import type { KeyStore, Principal } from '../core/auth/types.ts';
import { EGRESS_LINK } from '../core/execution/egress.ts';
import type { Executor } from '../core/execution/types.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Recorder } from '../core/metrics/table.ts';
import type { Redactor } from '../core/redaction/redactor.ts';
import { createPlanner, type Planner } from '../core/plan/planner.ts';
import type { PlanSources } from '../core/plan/plan.ts';
import type { Gate } from '../core/resilience/gate.ts';
import { createRunEngine, type RunMachine } from '../core/run/engine.ts';
import { createRunHistory } from '../core/run/history.ts';
import { createRunHub } from '../core/run/hub.ts';
import type { RunEngine, RunHistory } from '../core/run/types.ts';
import type { Stats } from '../core/stats/stats.ts';
import type { Store } from '../core/store/types.ts';
import type { Registry } from '../core/tool/registry-types.ts';
import type { Permission } from './permission.ts';
import { maskForOwners } from './owned-answers.ts';
import { cleanOutput, createRunText } from './run-text.ts';
import type { Settings } from './settings.ts';
import { executionLimits, toolLimits } from './tool-settings.ts';

/** What the runs of a gateway stand on. */
export interface RunMachineParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly gate: Gate;
  readonly stats: Stats;
  readonly executor: Executor;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly version: string;
  readonly permission: Permission;
  readonly principal: (id: string) => Promise<Principal | undefined>;
  readonly settings: () => Settings;
  /** Grows with every configuration that came into force. */
  readonly generation: () => number;
}

/** The runs of a gateway: how they are started, and what is known of them. */
export interface Runs {
  /** As callers see it: masked for the owner. */
  readonly engine: RunEngine;
  readonly history: RunHistory;
  readonly machine: RunMachine;
  readonly planner: Planner;
}

/** Composes engine, planner and history over one store. */
export function makeRuns(parts: RunMachineParts): Runs {
  const { store, registry, redactor, clock, log, version, settings, permission } = parts;
  const hub = createRunHub();
  const plans = planSources(parts);
  const planner = makePlanner(parts, plans);
  const machine = makeMachine(parts, { hub, plans, planner });
  const history = createRunHistory({
    store,
    audit: permission.audit,
    hub,
    runs: machine.runs,
    masker: (owner) => redactor.masker({ owner }),
    cleanOutput,
    keepMs: () => settings().config.runs.retention.keepMs,
    clock,
    log,
    version,
  });
  return { engine: maskForOwners(machine, { registry, redactor }), history, machine, planner };
}

interface Made {
  readonly hub: ReturnType<typeof createRunHub>;
  readonly plans: PlanSources;
  readonly planner: Planner;
}

function makeMachine(parts: RunMachineParts, { hub, plans, planner }: Made): RunMachine {
  const { store, redactor, settings, permission } = parts;
  const config = () => settings().config;
  return createRunEngine({
    ...parts,
    hub,
    plans,
    named: planner,
    budgets: permission.budgets,
    approvals: permission.approvals,
    audit: permission.audit,
    quotas: () => config().quotas,
    text: createRunText(redactor),
    limits: (tool) => executionLimits(config(), tool.definition),
    keepSecret: (secret) => {
      // For this owner only: a word that one tenant's target took must not show or mask anything elsewhere.
      redactor.keepFound(secret.owner, secret.value);
      return store.secrets.keep(secret);
    },
  });
}

function makePlanner(parts: RunMachineParts, plans: PlanSources): Planner {
  const { store, redactor, permission, settings } = parts;
  return createPlanner({
    ...parts,
    plans,
    budgets: permission.budgets,
    audit: permission.audit,
    store: store.plans,
    ttlMs: () => settings().config.plans.ttlMs,
    text: createRunText(redactor),
  });
}

function planSources(parts: RunMachineParts): PlanSources {
  const { executor, settings, permission, store, generation } = parts;
  const { engagements, killSwitch, approvals } = permission;
  const config = () => settings().config;
  return {
    generation: () => generation() + engagements.generation(),
    engagements,
    killSwitch,
    need: (engagement, risk) => approvals.need(engagement, risk),
    digestKey: store.cursorKey,
    timeoutMs: (tool) => toolLimits(config(), tool.definition).timeoutMs,
    wordlist: (claim) => settings().wordlists.pin(claim),
    raw: () => executor.rawAvailable,
    link: (reach) => (executor.translatesNetwork(reach) ? EGRESS_LINK : linkOf(config())),
  };
}

/** Who a key is now; undefined when it is revoked, expired or gone. */
export async function principalOf(keys: KeyStore, id: string, clock: Clock): Promise<Principal | undefined> {
  const record = (await keys.list()).find((each) => each.id === id);
  if (record === undefined || unusable(record, clock) !== undefined) return undefined;
  return { id, name: record.name, scopes: new Set(record.scopes) };
}

function linkOf({ execution: { raw } }: Config): { interface?: string; adapterIp?: string; routerMac?: string } {
  return {
    ...(raw.interface === '' ? {} : { interface: raw.interface }),
    ...(raw.adapterIp === '' ? {} : { adapterIp: raw.adapterIp }),
    ...(raw.routerMac === '' ? {} : { routerMac: raw.routerMac }),
  };
}
