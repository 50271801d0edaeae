import { type Config, toolConfig } from '../../schemas/config.ts';
import type { BrokenRule } from '../config.ts';
import type { ExecutorOptions } from '../core/execution/executor.ts';
import type { ExecutionLimits } from '../core/execution/types.ts';
import type { GateLimits, ProcessLimits } from '../core/resilience/gate.ts';
import type { AnyTool } from '../core/tool/definition.ts';

const DATA_BYTES = 268_435_456;
const ADDRESS_SPACE_BYTES = 2_147_483_648;
const READ_BACK_BYTES = 8_388_608;

/** The wall-clock limit and the number of runs at once of one tool: the operator's, or the tool's own where it says 0. */
export function toolLimits(
  config: Config,
  tool: AnyTool,
): { readonly timeoutMs: number; readonly concurrency: number } {
  const own = toolConfig(config, tool.name);
  return { timeoutMs: own.timeoutMs || tool.timeoutMs, concurrency: own.concurrency || tool.concurrency };
}

/** What the executor and `doctor` are told of confinement. */
export function confinementOptions(
  execution: Config['execution'],
): Pick<ExecutorOptions, 'killGraceMs' | 'rawEnabled' | 'disable' | 'cgroupLimits'> {
  const { memoryBytes, processes, cpuPercent } = execution;
  return {
    killGraceMs: execution.killGraceMs,
    rawEnabled: execution.raw.enabled,
    disable: execution.disable,
    cgroupLimits: { memoryBytes, processes, cpuPercent },
  };
}

/** The caps of one process of a tool. */
export function executionLimits(config: Config, tool: AnyTool): ExecutionLimits {
  const own = toolConfig(config, tool.name);
  return {
    stdoutBytes: own.stdoutBytes,
    stderrBytes: own.stderrBytes,
    atStdoutCap: tool.atStdoutCap ?? 'truncate',
    fileBytes: READ_BACK_BYTES,
    dataBytes: tool.dataBytes ?? DATA_BYTES,
    addressSpaceBytes: tool.addressSpaceBytes ?? ADDRESS_SPACE_BYTES,
  };
}

/** Configured values above a tool's own tops. They are refused, never clamped. */
export function toolSettingFaults(config: Config, tools: readonly AnyTool[]): BrokenRule[] {
  return tools.flatMap((tool) => {
    const own = toolConfig(config, tool.name);
    return [
      ...aboveTop(`tools.${tool.name}.timeoutMs`, own.timeoutMs, tool.maxTimeoutMs),
      ...aboveTop(`tools.${tool.name}.concurrency`, own.concurrency, tool.maxConcurrency),
    ];
  });
}

function aboveTop(key: string, value: number, top: number): BrokenRule[] {
  if (value <= top) return [];
  return [
    { keys: [key], wrong: `${value} is above this tool's top`, right: `at most ${top}, or 0 for the tool's own` },
  ];
}

/** Room over all tools, and of each principal. */
export function processLimits({ execution, quotas }: Config): ProcessLimits {
  const { maxConcurrentRuns, maxQueuedRuns, maxQueueWaitMs } = execution;
  return { maxConcurrentRuns, maxQueuedRuns, maxQueueWaitMs, maxConcurrentRunsPerOwner: quotas.concurrentRuns };
}

/** Room and circuit of every tool. */
export function gateLimits(config: Config, tools: readonly AnyTool[]): ReadonlyMap<string, GateLimits> {
  return new Map(
    tools.map((tool) => {
      const { maxQueued, breakerFailures, breakerOpenMs, breakerMaxOpenMs } = toolConfig(config, tool.name);
      const { concurrency } = toolLimits(config, tool);
      return [tool.name, { concurrency, maxQueued, breakerFailures, breakerOpenMs, breakerMaxOpenMs }] as const;
    }),
  );
}
