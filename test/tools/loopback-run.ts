import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TSchema } from '@sinclair/typebox';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { systemClock } from '../../src/core/clock.ts';
import { createExecutor } from '../../src/core/execution/executor.ts';
import { reachOf } from '../../src/core/execution/reach.ts';
import type { Execution } from '../../src/core/execution/types.ts';
import { createTargetPolicy } from '../../src/core/targets/policy.ts';
import { guardArgv } from '../../src/core/tool/argv-guard.ts';
import type { AnyTool, ParseOutcome, PinnedWordlist, ToolContext, ToolEvent } from '../../src/core/tool/definition.ts';
import { createValidator } from '../../src/core/tool/input-validator.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';

/** Validates a result against a tool's output schema. */
export function assertFits(schema: TSchema, result: unknown): void {
  const validate = new Ajv2020({ strict: true, validateFormats: false }).compile(schema);
  assert.ok(validate(result), JSON.stringify(validate.errors));
}

/** Why a real run of this tool cannot be tested here, or false. */
export async function missing(tool: AnyTool): Promise<string | false> {
  for (const path of [`/usr/bin/${tool.binary}`, ...(tool.requires ?? [])]) {
    if (!(await stat(path).catch(() => undefined))) return `${path} is not installed`;
  }
  return false;
}

/** What one real run gave. */
export interface RealRun {
  readonly outcome: ParseOutcome<Record<string, unknown>>;
  readonly events: readonly ToolEvent[];
  readonly secrets: readonly string[];
  readonly argv: readonly string[];
  readonly execution: Execution;
}

/** A tool in the real executor against loopback; `names` are the only names that resolve. */
export async function loopbackRunner(tool: AnyTool, names: Readonly<Record<string, string>> = {}) {
  const scratch = await mkdtemp(join(tmpdir(), 'sallyport-tool-'));
  const executor = await createExecutor({
    clock: systemClock,
    log: { info() {}, warn() {}, error() {} },
    scratchParent: join(scratch, 'runs'),
    cgroupLimits: { memoryBytes: 1_073_741_824, processes: 512, cpuPercent: 200 },
    launcher: LAUNCHER_PLACE,
    places: 2,
    killGraceMs: 200,
    rawEnabled: false,
  });
  const policy = createTargetPolicy({
    scope: { allow: ['127.0.0.0/8', '::1', '*.lab.internal'], deny: [] },
    denyPorts: [],
    allowLoopback: true,
    ownAddresses: [],
    resolvers: [],
    resolver: { resolve: (name) => Promise.resolve([names[name] ?? assert.fail(`asked for ${name}`)]) },
  });
  return {
    run: (given: Record<string, unknown>, lists: readonly string[] = [], timeoutMs = 60_000) =>
      runOnce({ tool, given, lists, timeoutMs, executor, policy }),
    async close() {
      await executor.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

async function runOnce(job: {
  tool: AnyTool;
  given: Record<string, unknown>;
  lists: readonly string[];
  timeoutMs: number;
  executor: Awaited<ReturnType<typeof createExecutor>>;
  policy: ReturnType<typeof createTargetPolicy>;
}): Promise<RealRun> {
  const { tool } = job;
  const input = createValidator(tool.input)(job.given);
  assert.deepEqual(tool.check?.(input) ?? [], []);
  const pinned = await job.policy.pin(tool.targets(input), tool.limits);
  const secrets: string[] = [];
  const context: ToolContext = {
    raw: false,
    wordlists: await pinLists(tool, input, job.lists),
    timeoutMs: job.timeoutMs,
    link: {},
    keepSecret: ({ value }) => `secret-${secrets.push(value)}`,
  };
  const argv = tool.argv(input, pinned, context);
  guardArgv(tool.grammar, argv, pinned);
  const events: ToolEvent[] = [];
  const parser = tool.parse({ input, pinned, context, emit: (event) => void events.push(event) });
  const stdin = tool.stdin?.(input, context);
  let tail = '';
  const execution = await job.executor.run(
    {
      runId: randomUUID(),
      binary: `/usr/bin/${tool.binary}`,
      argv,
      ...(stdin === undefined ? {} : { stdin }),
      files: tool.files?.(input, context) ?? [],
      readBack: tool.readBack ?? [],
      timeoutMs: context.timeoutMs,
      limits: {
        stdoutBytes: 8_388_608,
        stderrBytes: 262_144,
        atStdoutCap: tool.atStdoutCap ?? 'kill',
        fileBytes: 1_048_576,
        dataBytes: tool.dataBytes ?? 268_435_456,
        addressSpaceBytes: tool.addressSpaceBytes ?? 2_147_483_648,
      },
      capability: 'none',
      needs: tool.needs ?? {},
      reach: tool.reach?.(input, pinned, context) ?? reachOf(tool.targets(input), pinned),
    },
    {
      onStdout: (chunk) => parser.stdout(chunk),
      onStderr(chunk) {
        tail = (tail + chunk.toString()).slice(-4096);
        parser.stderr?.(chunk);
      },
      signal: AbortSignal.timeout(60_000),
    },
  );
  assert.notEqual(execution.ending, 'not_started', JSON.stringify(execution.startFault));
  // A tool that works only where nothing confines it would pass here and fail in the field.
  assert.ok(execution.layers.includes('L2'), JSON.stringify(job.executor.layers));
  const outcome = parser.end({
    exitCode: execution.exitCode,
    ending: execution.ending === 'not_started' ? 'exited' : execution.ending,
    stdoutTruncated: execution.stdout.truncated,
    files: execution.files,
    stderrTail: tail,
  }) as ParseOutcome<Record<string, unknown>>;
  assertFits(tool.output, outcome.result);
  return { outcome, events, secrets, argv, execution };
}

async function pinLists(
  tool: AnyTool,
  input: Record<string, unknown>,
  paths: readonly string[],
): Promise<ReadonlyMap<string, PinnedWordlist>> {
  const lists = new Map<string, PinnedWordlist>();
  for (const [index, claim] of (tool.wordlists?.(input) ?? []).entries()) {
    const path = paths[index] ?? assert.fail('a list without its file');
    const content = await readFile(path);
    const lines = content.toString('utf8').split('\n').length - 1;
    lists.set(claim.role, { ...claim, path, bytes: content.length, lines });
  }
  return lists;
}
