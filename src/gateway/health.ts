import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Config } from '../../schemas/config.ts';
import { auditWritable } from '../core/audit/health.ts';
import type { Clock } from '../core/clock.ts';
import type { EventBus } from '../core/events/bus.ts';
import type { Executor } from '../core/execution/types.ts';
import {
  circuitsClosed,
  confinementWorks,
  type ConfigurationStatus,
  configurationInForce,
  diskFree,
  engagementsInForce,
  eventLoopLag,
  layersProved,
  memoryUse,
  storeWritable,
  toolsAvailable,
} from '../core/health/checks.ts';
import { createHealthMonitor, type HealthMonitor } from '../core/health/monitor.ts';
import { killSwitchOff } from '../core/kill/health.ts';
import type { Log } from '../core/log.ts';
import type { Recorder } from '../core/metrics/table.ts';
import type { Gate } from '../core/resilience/gate.ts';
import type { Store } from '../core/store/types.ts';
import type { Registry } from '../core/tool/registry-types.ts';
import type { Permission } from './permission.ts';

export interface HealthParts {
  readonly config: () => Config;
  readonly configStatus: () => ConfigurationStatus;
  readonly dataDir: { readonly path: string; probe(): Promise<void> };
  readonly store: Pick<Store, 'probe'>;
  readonly permission: Pick<Permission, 'audit' | 'engagements' | 'killSwitch'>;
  readonly registry: Registry;
  readonly gate: Gate;
  readonly executor: Executor;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
}

const LOOP_RESOLUTION_MS = 10;

/** What the control group allows; without one Node reports a number beyond all memory. */
function memoryLimit(): number {
  return Math.min(process.constrainedMemory() || Number.MAX_SAFE_INTEGER, totalmem());
}

function isProved({ layers }: Executor, required: string): boolean {
  return layers.some(({ name, state }) => name === required && state === 'proved');
}

/** Starts the background checks and resolves after their first round. */
export async function startHealth(parts: HealthParts): Promise<HealthMonitor> {
  const { config, registry, gate, executor, recorder, events } = parts;
  const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  histogram.enable();
  const monitor = createHealthMonitor({
    ...config().health,
    clock: parts.clock,
    recorder,
    log: parts.log,
    checks: [
      storeWritable(() => parts.dataDir.probe().then(() => parts.store.probe())),
      eventLoopLag({ histogram, maxMs: () => config().health.maxEventLoopLagMs, recorder }),
      confinementWorks(() => executor.lastFault()),
      layersProved(() => config().execution.require.filter((name) => !isProved(executor, name))),
      diskFree(parts.dataDir.path, () => config().health.minFreeDiskBytes),
      memoryUse({
        usedBytes: () => process.memoryUsage.rss(),
        limitBytes: memoryLimit(),
      }),
      auditWritable(parts.permission.audit),
      killSwitchOff(parts.permission.killSwitch),
      engagementsInForce(parts.permission.engagements),
      configurationInForce(parts.configStatus),
      circuitsClosed(() =>
        registry
          .all()
          .map((tool) => tool.definition.name)
          .filter((name) => gate.state(name).breaker.state !== 'closed'),
      ),
      toolsAvailable(() =>
        registry.all().map((tool) => ({ name: tool.definition.name, available: tool.availability.available })),
      ),
    ],
  });
  monitor.onChange((report) =>
    events.publish('health', {
      status: report.status,
      failing: report.checks.filter((check) => check.state !== 'passing').map((check) => check.name),
    }),
  );
  // What changed must show in health at once, not a round later. Not before this turn is over: whoever announces a
  // change may still be in the middle of it.
  events.subscribe((event) => {
    if (event.type === 'health') return;
    setImmediate(() => {
      monitor.configure(config().health);
      void monitor.refresh();
    });
  });
  await monitor.start();
  return monitor;
}
