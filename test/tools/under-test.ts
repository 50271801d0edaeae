import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SallyportError } from '../../src/core/errors.ts';
import type { PinnedTargets } from '../../src/core/targets/types.ts';
import type { AnyTool, PinnedWordlist, ToolContext, ToolEnd, ToolEvent } from '../../src/core/tool/definition.ts';
import { loadTools } from '../../src/core/tool/discovery.ts';
import { createRegistry } from '../../src/core/tool/registry.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { policyUnderTest } from '../core/targets/policy-under-test.ts';

export const TOOLS_DIRECTORY = join(import.meta.dirname, '../../src/tools');
const OUTPUT_DIRECTORY = join(import.meta.dirname, '../fixtures/output');

/** Every tool on disk, registered. */
export async function registeredTools(): Promise<readonly RegisteredTool[]> {
  const tools = await loadTools(TOOLS_DIRECTORY);
  return createRegistry({ tools, riskCeiling: () => 'exploit', isEnabled: () => true }).all();
}

/** Registers one definition. */
export function registered(definition: AnyTool): RegisteredTool {
  return createRegistry({ tools: [definition], riskCeiling: () => 'exploit', isEnabled: () => true }).get(
    definition.name,
  );
}

/** What the machine around a tool could give it. */
export interface Surroundings {
  readonly raw?: boolean;
  /** Names and the address each resolves to. */
  readonly resolves?: Readonly<Record<string, string>>;
  readonly link?: ToolContext['link'];
  readonly timeoutMs?: number;
}

/** One call up to its argv, by the real policy with the default scope. */
export interface Prepared {
  readonly input: Record<string, unknown>;
  readonly pinned: PinnedTargets;
  readonly context: ToolContext;
  readonly argv: readonly string[];
}

/** Validates, pins and builds the argv of a call; throws what the gateway would answer. */
export async function prepare(
  tool: RegisteredTool,
  given: Record<string, unknown>,
  around: Surroundings = {},
): Promise<Prepared> {
  const { definition } = tool;
  const { input } = tool.validate(given, undefined);
  const names = Object.fromEntries(Object.entries(around.resolves ?? {}).map(([name, address]) => [name, [address]]));
  const { policy } = policyUnderTest({}, names);
  const pinned = await policy.pin(definition.targets(input), definition.limits);
  const context = contextOf(definition, input, around);
  return { input, pinned, context, argv: definition.argv(input, pinned, context) };
}

/** A context whose word lists all exist. */
export function contextOf(definition: AnyTool, input: Record<string, unknown>, around: Surroundings = {}): ToolContext {
  const lists = (definition.wordlists?.(input) ?? []).map(({ role, name }): [string, PinnedWordlist] => [
    role,
    { role, name, path: `/lists/${name}`, bytes: 30, lines: 3 },
  ]);
  return {
    raw: around.raw ?? false,
    wordlists: new Map(lists),
    timeoutMs: around.timeoutMs ?? definition.timeoutMs,
    link: around.link ?? {},
    // The same reference for the same secret, so that two readings of one output can be compared.
    keepSecret: ({ value }) => `secret-${createHash('sha256').update(value).digest('hex').slice(0, 8)}`,
  };
}

/** Recorded output of a real run: `<case>.stdout`, and where there are any `<case>.stderr` and `<case>.files/`. */
export interface Sample {
  readonly name: string;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** All samples of a tool. */
export async function samplesOf(tool: string): Promise<readonly Sample[]> {
  const directory = join(OUTPUT_DIRECTORY, tool);
  const entries = await readdir(directory).catch(() => []);
  const names = entries.filter((entry) => entry.endsWith('.stdout')).map((entry) => basename(entry, '.stdout'));
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      stdout: await readFile(join(directory, `${name}.stdout`)),
      stderr: await readFile(join(directory, `${name}.stderr`)).catch(() => Buffer.alloc(0)),
      files: await filesOf(join(directory, `${name}.files`)),
    })),
  );
}

async function filesOf(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(files.map(async (path) => [path.slice(directory.length + 1), await readFile(path)] as const)),
  );
}

/** What a parser is given besides the call. */
export interface Fed {
  readonly stdout: readonly Buffer[];
  readonly stderr?: readonly Buffer[];
  readonly end?: Partial<ToolEnd>;
}

/** Runs a tool's parser over an output, as the run engine does. */
export function feed(tool: RegisteredTool, call: Prepared, fed: Fed) {
  const events: ToolEvent[] = [];
  const parser = tool.definition.parse({ ...call, emit: (event) => void events.push(event) });
  for (const chunk of fed.stdout) parser.stdout(chunk);
  for (const chunk of fed.stderr ?? []) parser.stderr?.(chunk);
  const stderrTail = Buffer.concat(fed.stderr ?? [])
    .subarray(-4096)
    .toString('utf8');
  const outcome = parser.end({
    exitCode: 0,
    ending: 'exited',
    stdoutTruncated: false,
    files: new Map(),
    stderrTail,
    ...fed.end,
  });
  return { ...outcome, events };
}

/** Codes with which a call may be refused before anything runs. */
export function isRefusal(thrown: unknown): boolean {
  return (
    thrown instanceof SallyportError && (thrown.code === 'ERR_INPUT_INVALID' || thrown.code.startsWith('ERR_TARGET_'))
  );
}
