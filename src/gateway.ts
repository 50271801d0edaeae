import { type Config, toolConfig } from '../schemas/config.ts';
import type { ToolStats } from '../schemas/stats.ts';
import { type LoadedConfig, redactConfig, watchConfig } from './config.ts';
import { type Authenticator, createAuthenticator } from './core/auth/keys.ts';
import type { Outbound } from './core/audit/types.ts';
import type { Principal, SecretStore } from './core/auth/types.ts';
import type { ScopeView } from '../schemas/scope-view.ts';
import { describeScope, permitsTool } from './core/engagement/scope-view.ts';
import type { EndableRuns } from './core/kill/types.ts';
import { createPolicyEnds } from './core/policy-watch/policy-ends.ts';
import type { Planner } from './core/plan/planner.ts';
import { openPermission, type OutboundSecrets, type Permission } from './gateway/permission.ts';
import type { Clock } from './core/clock.ts';
import { createEventBus, type EventBus } from './core/events/bus.ts';
import { createExecutor } from './core/execution/executor.ts';
import type { LauncherPlace } from './core/execution/launcher.ts';
import type { Executor } from './core/execution/types.ts';
import type { HealthMonitor } from './core/health/monitor.ts';
import type { Log } from './core/log.ts';
import type { Recorder } from './core/metrics/table.ts';
import type { Redactor } from './core/redaction/redactor.ts';
import { createGate, type Gate } from './core/resilience/gate.ts';
import type { RunEngine, RunHistory } from './core/run/types.ts';
import { createStats } from './core/stats/stats.ts';
import type { Store } from './core/store/types.ts';
import type { OwnEndpoint } from './core/targets/own-endpoints.ts';
import type { AnyTool } from './core/tool/definition.ts';
import { createRegistry } from './core/tool/registry.ts';
import type { Registry } from './core/tool/registry-types.ts';
import { createToolViews, type ToolViews } from './core/tool/views.ts';
import type { WordlistCatalogue } from './core/tool/wordlists.ts';
import { announceChanges } from './gateway/announcements.ts';
import { startHealth } from './gateway/health.ts';
import { followConfiguration } from './gateway/reload.ts';
import { requireLayers } from './gateway/required-layers.ts';
import { startRetention } from './gateway/retention.ts';
import { makeRuns, principalOf, type Runs } from './gateway/run-machine.ts';
import { chooseScratchParent } from './gateway/scratch-place.ts';
import { type CurrentSettings, createCurrentSettings } from './gateway/current-settings.ts';
import type { Settings } from './gateway/settings.ts';
import { rememberSecrets, restoreToolStates } from './gateway/stored-state.ts';
import { untilIdle } from './gateway/until-idle.ts';
import { startProbing } from './gateway/tool-probing.ts';
import { confinementOptions, gateLimits, processLimits, toolLimits } from './gateway/tool-settings.ts';

/** Before there is an engine nothing runs. */
const NOT_YET: EndableRuns = { subjects: () => [], endWhere: async () => 0 };

/** What a gateway is made of. Nothing is read from the process, so that a test can make one. */
export interface GatewayParts {
  readonly loaded: LoadedConfig;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadedConfig;
  /** The tools that `tools.include` and `tools.exclude` selected. */
  readonly tools: readonly AnyTool[];
  readonly dataDir: { readonly path: string; probe(): Promise<void> };
  readonly store: Store;
  /** Other places of ours that no tool may touch (Redis), as `address[:port]`. */
  readonly ownAddresses: readonly string[];
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly version: string;
  /** Where the native programs of confinement were built, and from what. */
  readonly launcher: LauncherPlace;
  /** The only way out of the process: webhooks, anchors. */
  readonly outbound: Outbound;
  readonly outboundSecrets: OutboundSecrets;
}

/** The composed machine: HTTP and every other channel stand on it. */
export interface Gateway {
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: Recorder;
  readonly registry: Registry;
  readonly engine: RunEngine;
  readonly history: RunHistory;
  readonly planner: Planner;
  readonly permission: Permission;
  /** What a principal may do now. */
  readonly scopeOf: (who: Principal) => ScopeView;
  /** Whether any engagement of a principal permits a tool, whatever its hours. */
  readonly permits: (who: Principal, tool: string) => boolean;
  readonly executor: Executor;
  readonly views: ToolViews;
  readonly health: HealthMonitor;
  readonly events: EventBus;
  readonly authenticator: Authenticator;
  readonly secrets: SecretStore;
  readonly redactor: Redactor;
  /** Switches a tool on or off until it is switched again; resolves once it is durable. */
  readonly setToolEnabled: (name: string, enabled: boolean) => Promise<void>;
  readonly config: () => Config;
  readonly shownConfig: () => Record<string, unknown>;
  readonly wordlists: () => WordlistCatalogue;
  readonly allowedHosts: () => readonly string[];
  readonly allowedOrigins: () => readonly string[];
  readonly stats: () => readonly ToolStats[];
  /** Tells the policy where we listen: no tool may be pointed there. */
  readonly listensAt: (endpoints: readonly OwnEndpoint[]) => void;
  /** Reads the configuration again at once. */
  readonly reload: () => void;
  /** Refuses new calls and waits until none runs, at most `graceMs`. */
  readonly drain: (graceMs: number) => Promise<void>;
  /** Refuses new calls, ends running trees, and resolves when nothing is left. */
  readonly close: () => Promise<void>;
}

/**
 * Composes the gateway: settings, confinement (proved by attack), room, engine, health. Throws ERR_CONFIG_INVALID or
 * ERR_EXEC_CONFINEMENT when it must not start.
 */
export async function createGateway(parts: GatewayParts): Promise<Gateway> {
  const { clock, log, recorder, tools, ownAddresses } = parts;
  const ending = new AbortController();
  const { signal } = ending;
  const current = createCurrentSettings(parts.loaded, { tools, clock, ownAddresses });
  const config = () => current.settings().config;
  const executor = await startExecutor(parts);
  requireLayers(config().execution.require, executor.layers);
  const { permission, machine } = await compose(parts, { current, executor, signal });
  const { registry, gate, events, runs } = machine;
  await rememberSecrets(parts.store.secrets, parts.redactor);
  await restoreToolStates(parts.store.tools, registry);
  const probing = await startProbing({ tools, registry, executor, clock, log, signal });
  const { audit, budgets } = permission;
  const follow = followConfiguration(
    { ...parts, watchConfig, registry, gate, events, audit, signal },
    current.exchange(() => permission.reconfigure()),
  );
  const health = await startHealth({ ...parts, ...machine, permission, executor, config, configStatus: follow.status });
  permission.killSwitch.onChange(() => void health.refresh());
  announceChanges({ ...machine, executor, recorder, log, version: parts.version });
  // After the tools are known: what waited through the restart is planned and started from here on.
  permission.watch();
  await runs.machine.recover();
  const retention = startRetention({ ...parts, audit, budgets, planner: runs.planner, config, signal });

  const drain = (graceMs: number) => {
    ending.abort();
    gate.close();
    runs.machine.stop();
    return untilIdle(executor, graceMs);
  };
  const close = async () => {
    await drain(0);
    await executor.close();
    // Their ends are stored before the store is let go of.
    await runs.machine.settle();
    await Promise.all([probing.ended, retention.ended, permission.stop()]);
    health.stop();
    await permission.close();
  };
  const shown = present(parts, { settings: current.settings, machine, executor, permission });
  return { ...shown, health, listensAt: current.listensAt, reload: follow.reload, drain, close };
}

interface Beginning {
  readonly current: CurrentSettings;
  readonly executor: Executor;
  readonly signal: AbortSignal;
}

/** Permission and runs need each other: the permission ends runs, and a run asks the permission. */
async function compose(parts: GatewayParts, { current, executor, signal }: Beginning) {
  const { clock, log, tools, store } = parts;
  const { settings, generation } = current;
  const principal = (id: string) => principalOf(store.keys, id, clock);
  let live: EndableRuns = NOT_YET;
  const permission = await openPermission({
    ...parts,
    dataDir: parts.dataDir.path,
    settings,
    principal,
    runs: () => live,
    survivors: () => executor.survivors ?? 0,
    tools: () => tools.map(({ name }) => name),
    signal,
  });
  const machine = assemble(parts, { settings, executor, permission, principal, generation });
  live = createPolicyEnds({ runs: machine.runs.machine.runs, log });
  return { permission, machine };
}

interface Machine {
  readonly registry: Registry;
  readonly gate: Gate;
  readonly stats: ReturnType<typeof createStats>;
  readonly events: EventBus;
  readonly runs: Runs;
}

interface Grounds {
  readonly settings: () => Settings;
  readonly executor: Executor;
  readonly permission: Permission;
  readonly principal: (id: string) => Promise<Principal | undefined>;
  /** Grows with every configuration that came into force. */
  readonly generation: () => number;
}

function assemble(parts: GatewayParts, grounds: Grounds): Machine {
  const { settings, permission } = grounds;
  const { tools, clock, recorder, log } = parts;
  const { config } = settings();
  const registry = createRegistry({
    tools,
    riskCeiling: () => permission.engagements.highestRisk(),
    isEnabled: (name) => toolConfig(config, name).enabled,
  });
  const gate = createGate({
    tools: gateLimits(config, tools),
    process: processLimits(config),
    clock,
    recorder,
    log,
    random: Math.random,
  });
  const stats = createStats();
  const runs = makeRuns({ ...parts, ...grounds, registry, gate, stats });
  return { registry, gate, stats, runs, events: createEventBus(() => clock.now()) };
}

function present(parts: GatewayParts, at: Omit<Grounds, 'generation' | 'principal'> & { readonly machine: Machine }) {
  const { clock, log, recorder, redactor, version, store } = parts;
  const { registry, gate, stats, runs, events } = at.machine;
  const config = () => at.settings().config;
  const { engagements } = at.permission;
  const permits = (who: Principal, tool: AnyTool) =>
    engagements.of(who).some((each) => permitsTool(engagements, each, tool));
  return {
    version,
    startedAt: clock.now(),
    clock,
    log,
    recorder,
    registry,
    engine: runs.engine,
    history: runs.history,
    planner: runs.planner,
    permission: at.permission,
    permits: (who: Principal, tool: string) => permits(who, registry.get(tool).definition),
    scopeOf: (who: Principal) => redactor.redactValue(describeScope(who, { ...at.permission, registry })) as ScopeView,
    executor: at.executor,
    events,
    secrets: store.secrets,
    setToolEnabled: async (name: string, enabled: boolean) => {
      await store.tools.set(name, enabled);
      registry.setEnabled(name, enabled);
    },
    redactor,
    views: createToolViews({
      permits,
      gateState: (tool) => gate.state(tool),
      limits: (tool) => toolLimits(config(), tool.definition),
    }),
    authenticator: createAuthenticator({
      store: at.permission.keys,
      clock,
      onAccepted: (key) => void redactor.register(key),
    }),
    config,
    shownConfig: () => redactConfig(config()) as Record<string, unknown>,
    wordlists: () => at.settings().wordlists,
    allowedHosts: () => at.settings().allowedHosts,
    allowedOrigins: () => at.settings().allowedOrigins,
    stats: () => registry.all().map((tool) => stats.report(tool.definition.name)),
  };
}

/** The top of `execution.maxConcurrentRuns`. */
const MOST_RUNS = 64;

async function startExecutor({ loaded, dataDir, clock, log, launcher }: GatewayParts): Promise<Executor> {
  const { execution } = loaded.config;
  return createExecutor({
    clock,
    log,
    scratchParent: chooseScratchParent({ configured: execution.scratchDir, dataDir: dataDir.path }),
    // The gate decides, also after a reload; this is the last bound behind it.
    places: MOST_RUNS,
    ...confinementOptions(execution),
    launcher,
  });
}
