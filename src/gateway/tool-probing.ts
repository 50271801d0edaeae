import type { Clock } from '../core/clock.ts';
import type { Executor } from '../core/execution/types.ts';
import type { Log } from '../core/log.ts';
import type { AnyTool } from '../core/tool/definition.ts';
import { probeTool } from '../core/tool/probe.ts';
import type { Registry } from '../core/tool/registry-types.ts';
import { pause } from './pause.ts';

export interface ProbingOptions {
  readonly tools: readonly AnyTool[];
  readonly registry: Registry;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Time between two rounds: a package that was installed or removed meanwhile is noticed without a restart. */
const INTERVAL_MS = 120_000;

/** Probes every tool once before it returns, then again in the background until the signal. The answer ends with it. */
export async function startProbing(options: ProbingOptions): Promise<{ readonly ended: Promise<void> }> {
  await probeAll(options);
  return { ended: again(options) };
}

async function again(options: ProbingOptions): Promise<void> {
  const { signal } = options;
  while (!signal.aborted) {
    await pause(INTERVAL_MS, signal);
    if (!signal.aborted) await probeAll(options);
  }
}

/** One after the other: a probe is a process, and six at once would be felt by the scans that run. */
async function probeAll({ tools, registry, executor, clock, log, signal }: ProbingOptions): Promise<void> {
  for (const tool of tools) {
    if (signal.aborted) return;
    const availability = await probeTool(tool, { executor, clock, signal });
    const before = registry.get(tool.name).availability;
    // The end of the gateway ends its probes too; that says nothing about the tool.
    if (signal.aborted) return;
    registry.setAvailability(tool.name, availability);
    if (before.probedAt !== 0 && before.available === availability.available) continue;
    const { available, version, path, fault } = availability;
    log.info('tool.probed', { tool: tool.name, available, version, path, fault });
  }
}
