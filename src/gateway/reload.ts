import { type Config, toolConfig } from '../../schemas/config.ts';
import type { ConfigFault, ConfigWatch, LoadedConfig, watchConfig } from '../config.ts';
import type { Audit } from '../core/audit/types.ts';
import type { EventBus } from '../core/events/bus.ts';
import type { Log } from '../core/log.ts';
import type { Recorder } from '../core/metrics/table.ts';
import type { Gate } from '../core/resilience/gate.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import type { Registry } from '../core/tool/registry-types.ts';
import type { Settings } from './settings.ts';
import { gateLimits, processLimits } from './tool-settings.ts';

export interface ReloadParts {
  readonly watchConfig: typeof watchConfig;
  readonly loaded: LoadedConfig;
  readonly load: () => LoadedConfig;
  readonly tools: readonly AnyTool[];
  readonly registry: Registry;
  readonly gate: Gate;
  readonly events: EventBus;
  readonly audit: Pick<Audit, 'note'>;
  readonly recorder: Recorder;
  readonly log: Log & { setLevel?(level: string): void };
  readonly signal: AbortSignal;
}

/** How a new configuration is checked and put into force. */
export interface Exchange {
  make(loaded: LoadedConfig): Settings;
  apply(settings: Settings): void;
}

/** Follows the configuration file. A change is made whole before anything of it applies; a faulty one changes nothing. */
export function followConfiguration(
  parts: ReloadParts,
  exchange: Exchange,
): { readonly reload: () => void; readonly status: () => ReturnType<ConfigWatch['status']> } {
  const { recorder, log, events } = parts;
  let running = parts.loaded.config;
  const watch = parts.watchConfig({
    initial: parts.loaded,
    load: parts.load,
    onChange: ({ current, changed, needsRestart }) => {
      const settings = exchange.make(current);
      exchange.apply(settings);
      applyLimits(parts, settings.config);
      applySwitches(parts, { before: running, after: settings.config });
      running = settings.config;
      recorder.count('sallyport_config_reloads_total', { result: 'applied' });
      parts.audit.note({ type: 'config.applied', data: { changed, needsRestart } });
      log.info('config.reloaded', { changed, needsRestart });
      events.publish('config', { result: 'applied', changed, needsRestart });
    },
    onRejected: (faults: readonly ConfigFault[], cause?: unknown) => {
      recorder.count('sallyport_config_reloads_total', { result: 'rejected' });
      log.error('config.rejected', { faults, ...(cause === undefined ? {} : { err: cause }) });
      events.publish('config', { result: 'rejected', faults });
    },
    signal: parts.signal,
  });
  return { reload: () => void watch.reload(), status: () => watch.status() };
}

function applyLimits({ gate, tools, log }: ReloadParts, config: Config): void {
  gate.reconfigureProcess(processLimits(config));
  for (const [tool, limits] of gateLimits(config, tools)) gate.reconfigure(tool, limits);
  log.setLevel?.(config.log.level);
}

/** A tool that was switched by hand keeps its state unless the file's own word about it changed. */
function applySwitches({ registry, tools }: ReloadParts, config: { before: Config; after: Config }): void {
  for (const { name } of tools) {
    const { enabled } = toolConfig(config.after, name);
    if (enabled !== toolConfig(config.before, name).enabled) registry.setEnabled(name, enabled);
  }
}
