import type { EventBus } from '../core/events/bus.ts';
import type { Executor } from '../core/execution/types.ts';
import type { Log } from '../core/log.ts';
import type { Recorder } from '../core/metrics/table.ts';
import type { Gate } from '../core/resilience/gate.ts';
import type { Registry } from '../core/tool/registry-types.ts';

export interface AnnouncementParts {
  readonly registry: Registry;
  readonly gate: Gate;
  readonly executor: Executor;
  readonly events: EventBus;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly version: string;
}

/** Carries changes of tools, circuits and layers to the event stream, the metrics and the log. */
export function announceChanges(parts: AnnouncementParts): void {
  const { registry, gate, executor, events, recorder, log, version } = parts;
  recorder.gauge('sallyport_build_info', { version, node: process.versions.node }, 1);
  for (const layer of executor.layers) {
    recorder.gauge('sallyport_layer_proved', { layer: layer.name }, layer.state === 'proved' ? 1 : 0);
  }
  const measureTool = (name: string) => {
    const { enabled, availability } = registry.get(name);
    recorder.gauge('sallyport_tool_enabled', { tool: name }, enabled ? 1 : 0);
    recorder.gauge('sallyport_tool_available', { tool: name }, availability.available ? 1 : 0);
    return { enabled, available: availability.available };
  };
  for (const tool of registry.all()) measureTool(tool.definition.name);
  registry.onChange((tool) => events.publish('tool', { tool, ...measureTool(tool) }));
  gate.onChange((tool) => {
    const { breaker } = gate.state(tool);
    log.warn('breaker.changed', { tool, ...breaker });
    events.publish('breaker', { tool, ...breaker });
  });
}
