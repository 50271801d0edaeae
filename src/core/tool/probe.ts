import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Execution, Executor } from '../execution/types.ts';
import { BINARY_DIRECTORIES, locateBinary, requirementFault } from './binary.ts';
import { cleanText } from './clean-text.ts';
import type { AnyTool } from './definition.ts';
import type { ToolAvailability } from './registry-types.ts';

/** What a probe needs from outside. */
export interface ProbeOptions {
  readonly executor: Pick<Executor, 'run' | 'rawAvailable'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Default: the fixed system directories. */
  readonly directories?: readonly string[];
}

const PROBE_TIMEOUT_MS = 15_000;
const PROBE_OUTPUT_BYTES = 65_536;

/** Probes every tool; the result holds one entry for each. Never throws because of a tool. */
export async function probeTools(
  tools: readonly AnyTool[],
  options: ProbeOptions,
): Promise<ReadonlyMap<string, ToolAvailability>> {
  const results = await Promise.all(tools.map(async (tool) => [tool.name, await probeTool(tool, options)] as const));
  return new Map(results);
}

/** Finds a tool's program, looks whether it may be trusted, and starts it once harmlessly to learn its version. */
export async function probeTool(tool: AnyTool, options: ProbeOptions): Promise<ToolAvailability> {
  const found = await inspect(tool, options);
  return { available: found.fault === undefined, ...found, probedAt: options.clock.now() };
}

type Found = Pick<ToolAvailability, 'path' | 'version' | 'fault'>;

async function inspect(tool: AnyTool, options: ProbeOptions): Promise<Found> {
  const located = await locateBinary(tool.binary, options.directories ?? BINARY_DIRECTORIES);
  if ('fault' in located) return { fault: withRemedy(tool, located.fault) };
  for (const required of tool.requires ?? []) {
    const fault = await requirementFault(required);
    if (fault !== undefined) return { path: located.path, fault: withRemedy(tool, fault) };
  }
  if (tool.raw === 'required' && !options.executor.rawAvailable) {
    return {
      path: located.path,
      fault: 'It needs raw packets: start the gateway as root or with NET_RAW and set execution.raw.enabled.',
    };
  }
  return { path: located.path, ...(await selfRun(tool, located.path, options)) };
}

async function selfRun(tool: AnyTool, binary: string, options: ProbeOptions): Promise<Found> {
  const seen: Buffer[] = [];
  const keep = (chunk: Buffer): void => void seen.push(Buffer.from(chunk));
  const execution = await options.executor.run(
    {
      runId: `probe-${randomUUID()}`,
      binary,
      argv: tool.probe.argv,
      timeoutMs: PROBE_TIMEOUT_MS,
      limits: {
        stdoutBytes: PROBE_OUTPUT_BYTES,
        stderrBytes: PROBE_OUTPUT_BYTES,
        atStdoutCap: 'kill',
        fileBytes: PROBE_OUTPUT_BYTES,
        dataBytes: tool.dataBytes ?? 268_435_456,
        addressSpaceBytes: tool.addressSpaceBytes ?? 2_147_483_648,
      },
      capability: 'none',
      needs: tool.needs ?? {},
      reach: { endpoints: [] },
    },
    { onStdout: keep, onStderr: keep, signal: options.signal },
  );
  if (execution.ending !== 'exited') return { fault: withRemedy(tool, `its self-run ${endingText(execution)}`) };
  // The exit code says nothing here: masscan exits 1 and hydra 255 after printing their version.
  const version = tool.probe.version.exec(Buffer.concat(seen).toString('utf8'))?.[1];
  if (version === undefined) return { fault: withRemedy(tool, 'its self-run did not print a version') };
  return { version: cleanText(version, 64) };
}

function endingText(execution: Execution): string {
  if (execution.ending === 'timed_out') return `did not end within ${PROBE_TIMEOUT_MS} ms`;
  if (execution.ending === 'output_cap') return 'printed too much';
  if (execution.ending === 'cancelled') return 'was stopped';
  return `could not start (${execution.startFault?.code ?? 'unknown'})`;
}

function withRemedy(tool: AnyTool, fault: string): string {
  return `${fault}. To mend it: apt-get install -y --no-install-recommends ${tool.debianPackage}`;
}
