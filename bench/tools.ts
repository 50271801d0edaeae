import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import { type AnyTool, defineTool } from '../src/core/tool/definition.ts';
import { loadTools } from '../src/core/tool/discovery.ts';

const COREUTILS = {
  debianPackage: 'coreutils',
  risk: 'observe',
  timeoutMs: 120_000,
  maxTimeoutMs: 120_000,
  concurrency: 2,
  maxConcurrency: 4,
  limits: { maxAddresses: 1, maxPorts: 0 },
  findings: () => [],
  coverage: () => ({ areas: [], missing: [] }),
  probe: { argv: ['--version'], version: /coreutils\) (\S+)/ },
} as const;
const CountSchema = Type.Object({ bytes: Type.Integer() }, { additionalProperties: false });

function parseCount() {
  let bytes = 0;
  return {
    stdout: (chunk: Buffer) => void (bytes += chunk.length),
    end: () => ({ result: { bytes }, complete: true }),
  };
}

/** A program that does nothing: what is left is the price of a call. */
export const noopTool: AnyTool = defineTool({
  ...COREUTILS,
  name: 'noop',
  title: 'Nothing',
  description: 'Does nothing and succeeds.',
  binary: 'true',
  input: Type.Object({}, { additionalProperties: false }),
  output: CountSchema,
  targets: () => [],
  grammar: { options: {} },
  argv: () => [],
  parse: parseCount,
  examples: [{ title: 'nothing', input: {}, argv: [] }],
});

const flood = (name: string, atStdoutCap: 'kill' | 'truncate'): AnyTool =>
  defineTool({
    ...COREUTILS,
    name,
    title: 'A flood',
    description: 'Writes more than anybody wants to read.',
    binary: 'head',
    atStdoutCap,
    input: Type.Object(
      { bytes: Type.Integer({ minimum: 1, maximum: 1_073_741_824 }) },
      { additionalProperties: false },
    ),
    output: CountSchema,
    targets: () => [],
    grammar: { options: { '-c': 'integer' }, operands: /^\/dev\/zero$/ },
    argv: ({ bytes }) => ['-c', String(bytes), '/dev/zero'],
    parse: parseCount,
    examples: [{ title: 'a drop', input: { bytes: 1 }, argv: ['-c', '1', '/dev/zero'] }],
  });

/** The no-op, and floods that are drained beyond the cap of stdout or ended at it. */
export const runnableTools: readonly AnyTool[] = [
  noopTool,
  flood('flood_truncate', 'truncate'),
  flood('flood_kill', 'kill'),
];

/**
 * The real tools for lists and refusals, which start no process. Their program is replaced, so that the same list is
 * offered whatever is installed.
 */
export async function realTools(): Promise<readonly AnyTool[]> {
  const tools = await loadTools(join(import.meta.dirname, '..', 'src', 'tools'));
  return tools.map((tool) => ({
    ...tool,
    binary: 'true',
    requires: [],
    probe: COREUTILS.probe,
    raw: tool.raw === 'required' ? 'optional' : (tool.raw ?? 'never'),
  }));
}
