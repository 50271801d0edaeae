import { Type } from '@sinclair/typebox';
import { type AnyTool, defineTool } from '../../../src/core/tool/definition.ts';

/** A small sound definition, changed as a test needs it. */
export function sampleTool(overrides: Partial<AnyTool> = {}): AnyTool {
  const tool = defineTool({
    name: 'sample',
    title: 'Sample',
    description: 'Does nothing.',
    binary: 'true',
    debianPackage: 'coreutils',
    risk: 'active',
    timeoutMs: 10_000,
    maxTimeoutMs: 60_000,
    concurrency: 1,
    maxConcurrency: 2,
    limits: { maxAddresses: 1, maxPorts: 1 },
    input: Type.Object(
      {
        host: Type.String({ pattern: '^[a-z0-9.]+$', maxLength: 50, description: 'host' }),
        mode: Type.Union([Type.Literal('fast'), Type.Literal('slow')], { default: 'slow', description: 'mode' }),
        count: Type.Integer({ minimum: 1, maximum: 10, default: 3, description: 'count' }),
        words: Type.Array(Type.String({ pattern: '^[a-z]+$', maxLength: 9 }), {
          default: [],
          maxItems: 3,
          description: 'words',
        }),
        note: Type.Optional(Type.String({ pattern: '^[a-z]+$', maxLength: 9, description: 'note' })),
        nested: Type.Optional(
          Type.Object(
            { deep: Type.Boolean({ default: true, description: 'deep' }) },
            { additionalProperties: false, description: 'nested' },
          ),
        ),
      },
      { additionalProperties: false },
    ),
    output: Type.Object({ ok: Type.Boolean() }, { additionalProperties: false }),
    check: (input) => (input.mode === 'fast' && input.count > 5 ? ['fast takes at most 5'] : []),
    targets: (input) => [{ role: 'host', kind: 'host', value: input.host }],
    grammar: { options: { '-n': 'flag' }, operands: 'address' },
    argv: (_input, pinned) => ['-n', pinned.one('host').address],
    parse: () => ({ stdout: () => undefined, end: () => ({ result: { ok: true }, complete: true }) }),
    findings: () => [],
    coverage: () => ({ areas: [], missing: [] }),
    probe: { argv: ['--version'], version: /(\d[\w.]*)/ },
    examples: [{ title: 'one', input: { host: '10.77.0.10' }, argv: ['-n', '10.77.0.10'] }],
  });
  return { ...tool, ...overrides };
}
