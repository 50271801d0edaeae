import { type Config, toolConfig } from '../schemas/config.ts';
import type { ToolStats } from '../schemas/stats.ts';
import { type LoadedConfig, redactConfig, watchConfig } from './config.ts';
import { type Authenticator, createAuthenticator } from './core/auth/keys.ts';
import type { SecretStore } from './core/auth/types.ts';
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
import { makeRuns, type Runs } from './gateway/run-machine.ts';
import { chooseScratchParent } from './gateway/scratch-place.ts';
import { makeSettings, type Settings } from './gateway/settings.ts';
import { rememberSecrets, restoreToolStates } from './gateway/stored-state.ts';
import { startProbing } from './gateway/tool-probing.ts';
import { confinementOptions, gateLimits, toolLimits } from './gateway/tool-settings.ts';

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
  const { clock, log, recorder, tools } = parts;
  const ending = new AbortController();
  let ownEndpoints: readonly OwnEndpoint[] = [];
  const sources = { tools, clock, ownAddresses: parts.ownAddresses, ownEndpoints: () => ownEndpoints };
  let current = makeSettings(parts.loaded, sources);
  let generation = 0;
  const settings = () => current;

  const executor = await startExecutor(parts);
  requireLayers(current.config.execution.require, executor.layers);
  const machine = assemble(parts, { settings, executor, generation: () => generation });
  const { registry, gate, events, runs } = machine;
  await rememberSecrets(parts.store.secrets, parts.redactor);
  await restoreToolStates(parts.store.tools, registry);
  const probing = await startProbing({ tools, registry, executor, clock, log, signal: ending.signal });
  const apply = (next: Settings) => {
    current = next;
    generation += 1;
  };
  const follow = followConfiguration(
    { ...parts, watchConfig, registry, gate, events, signal: ending.signal },
    { make: (loaded) => makeSettings(loaded, sources), apply },
  );
  const config = () => current.config;
  const health = await startHealth({ ...parts, ...machine, executor, config, configStatus: follow.status });
  announceChanges({ ...machine, executor, recorder, log, version: parts.version });
  // After the tools are known: what waited through the restart is planned and started from here on.
  await runs.machine.recover();
  const retention = startRetention({ ...parts, config, signal: ending.signal });

  const drain = (graceMs: number) => {
    ending.abort();
    gate.close();
    return untilIdle(executor, graceMs);
  };
  const close = async () => {
    await drain(0);
    await executor.close();
    // Their ends are stored before the store is let go of.
    await runs.machine.settle();
    await Promise.all([probing.ended, retention.ended]);
    health.stop();
  };
  const listensAt = (endpoints: readonly OwnEndpoint[]) => void (ownEndpoints = endpoints);
  return { ...present(parts, { settings, machine, executor }), health, listensAt, reload: follow.reload, drain, close };
}

const IDLE_LOOK_MS = 50;

function untilIdle(executor: Executor, graceMs: number): Promise<void> {
  if (executor.active === 0 || graceMs === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(look);
      clearTimeout(limit);
      resolve();
    };
    const look = setInterval(() => executor.active === 0 && done(), IDLE_LOOK_MS);
    const limit = setTimeout(done, graceMs);
  });
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
  /** Grows with every configuration that came into force. */
  readonly generation: () => number;
}

function assemble(parts: GatewayParts, { settings, executor, generation }: Grounds): Machine {
  const { tools, clock, recorder, log } = parts;
  const { config } = settings();
  const registry = createRegistry({
    tools,
    riskCeiling: () => settings().config.policy.risk,
    isEnabled: (name) => toolConfig(config, name).enabled,
  });
  const gate = createGate({
    tools: gateLimits(config, tools),
    process: config.execution,
    clock,
    recorder,
    log,
    random: Math.random,
  });
  const stats = createStats();
  const runs = makeRuns({ ...parts, settings, executor, generation, registry, gate, stats });
  return { registry, gate, stats, runs, events: createEventBus(() => clock.now()) };
}

function present(parts: GatewayParts, at: Omit<Grounds, 'generation'> & { readonly machine: Machine }) {
  const { clock, log, recorder, redactor, version, store } = parts;
  const { registry, gate, stats, runs, events } = at.machine;
  const config = () => at.settings().config;
  return {
    version,
    startedAt: clock.now(),
    clock,
    log,
    recorder,
    registry,
    engine: runs.engine,
    history: runs.history,
    executor: at.executor,
    events,
    secrets: store.secrets,
    setToolEnabled: async (name: string, enabled: boolean) => {
      await store.tools.set(name, enabled);
      registry.setEnabled(name, enabled);
    },
    redactor,
    views: createToolViews({
      riskCeiling: () => config().policy.risk,
      gateState: (tool) => gate.state(tool),
      limits: (tool) => toolLimits(config(), tool.definition),
    }),
    authenticator: createAuthenticator({ store: store.keys, clock, onAccepted: (key) => void redactor.register(key) }),
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
