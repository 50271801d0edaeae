import { statfs } from 'node:fs/promises';
import type { Recorder } from '../metrics/table.ts';
import type { CheckResult, HealthCheck } from './monitor.ts';

const passing = (message: string, data?: Record<string, unknown>): CheckResult => ({
  ok: true,
  message,
  ...(data === undefined ? {} : { data }),
});
const failing = (message: string, data?: Record<string, unknown>): CheckResult => ({
  ok: false,
  message,
  ...(data === undefined ? {} : { data }),
});

/** Critical: whether the data directory takes a durable write. */
export function storeWritable(probe: () => Promise<void>): HealthCheck {
  return {
    name: 'store',
    priority: 'critical',
    run: async () => {
      await probe();
      return passing('the data directory can be written');
    },
  };
}

/** The part of perf_hooks' IntervalHistogram that is read; nanoseconds. */
export interface DelayHistogram {
  percentile(percentile: number): number;
  reset(): void;
}

/** Critical: the loop's delay since the last look, 99th percentile. Measuring goes on outside; this only reads. */
export function eventLoopLag(input: {
  readonly histogram: DelayHistogram;
  readonly maxMs: () => number;
  readonly recorder: Recorder;
}): HealthCheck {
  return {
    name: 'event-loop',
    priority: 'critical',
    run: async () => {
      const lagMs = input.histogram.percentile(99) / 1e6;
      input.histogram.reset();
      input.recorder.gauge('sallyport_event_loop_lag_seconds', {}, lagMs / 1000);
      const data = { lagMs: Math.round(lagMs), maxMs: input.maxMs() };
      return lagMs < input.maxMs() ? passing('the event loop keeps up', data) : failing('the event loop lags', data);
    },
  };
}

/** Important: files of engagements that were refused: the last valid ones are in force. */
export function engagementsInForce(engagements: { faults(): readonly string[] }): HealthCheck {
  return {
    name: 'engagements',
    priority: 'important',
    run: async () => {
      const faults = engagements.faults();
      if (faults.length === 0) return passing('the engagements are in force as they are written');
      return failing('files of engagements are faulty; the last valid ones are in force', { faults: [...faults] });
    },
  };
}

/** Important: free space below the limit, on the file system of the directory. */
export function diskFree(directory: string, minBytes: () => number): HealthCheck {
  return {
    name: 'disk',
    priority: 'important',
    run: async () => {
      const { bavail, bsize } = await statfs(directory);
      const data = { freeBytes: bavail * bsize, minBytes: minBytes() };
      return data.freeBytes >= data.minBytes
        ? passing('there is room', data)
        : failing('the disk is nearly full', data);
    },
  };
}

/** Important: memory in use against what this process may have. A busy gateway is degraded, not unready. */
export function memoryUse(input: { readonly usedBytes: () => number; readonly limitBytes: number }): HealthCheck {
  return {
    name: 'memory',
    priority: 'important',
    run: async () => {
      const data = { usedBytes: input.usedBytes(), limitBytes: input.limitBytes };
      const isFull = data.usedBytes > 0.9 * data.limitBytes;
      return isFull ? failing('more than 90 % of the memory is in use', data) : passing('there is memory', data);
    },
  };
}

/** What of the configuration file is not in force. */
export interface ConfigurationStatus {
  readonly faults: readonly { readonly key: string; readonly from: string; readonly wrong: string }[];
  readonly needsRestart: readonly string[];
}

/** Important: the running configuration is not what the file says. */
export function configurationInForce(status: () => ConfigurationStatus): HealthCheck {
  return {
    name: 'configuration',
    priority: 'important',
    run: async () => {
      const { faults, needsRestart } = status();
      if (faults.length > 0) {
        const shown = faults.slice(0, 20).map(({ key, from, wrong }) => ({ key, from, wrong }));
        return failing('the changed configuration was rejected; the last valid one is in force', { faults: shown });
      }
      if (needsRestart.length > 0) return failing('changed keys wait for a restart', { needsRestart });
      return passing('the configuration is in force');
    },
  };
}

/** Informational: which tools are missing. The others work, so a missing one is no reason to call for help. */
export function toolsAvailable(
  tools: () => readonly { readonly name: string; readonly available: boolean }[],
): HealthCheck {
  return {
    name: 'tools',
    priority: 'informational',
    run: async () => {
      const all = tools();
      const missing = all.filter(({ available }) => !available).map(({ name }) => name);
      const data = { available: all.length - missing.length, missing };
      return missing.length === 0 ? passing('every tool is there', data) : failing('some tools are missing', data);
    },
  };
}

/** Important: an open circuit means that a tool which is there fails again and again; somebody should look. */
export function circuitsClosed(open: () => readonly string[]): HealthCheck {
  return {
    name: 'circuits',
    priority: 'important',
    run: async () => {
      const tools = open();
      return tools.length === 0 ? passing('no circuit is open') : failing('circuits are open', { tools });
    },
  };
}

/** Important: the confinement of the last run could not be set up, so nothing can be run until somebody looks. */
export function confinementWorks(lastFault: () => { readonly code: string } | undefined): HealthCheck {
  return {
    name: 'confinement',
    priority: 'important',
    run: async () => {
      const fault = lastFault();
      return fault === undefined
        ? passing('runs can be confined')
        : failing('the confinement of the last run could not be set up', { code: fault.code });
    },
  };
}

/** Critical: a confinement layer that the operator requires is not in force. */
export function layersProved(missing: () => readonly string[]): HealthCheck {
  return {
    name: 'layers',
    priority: 'critical',
    run: async () => {
      const layers = missing();
      return layers.length === 0
        ? passing('required layers are in force')
        : failing('required layers are missing', { layers });
    },
  };
}
