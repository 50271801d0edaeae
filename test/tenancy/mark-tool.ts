import { Type } from '@sinclair/typebox';
import { HostSchema } from '../../schemas/target.ts';
import type { FindingDraft } from '../../src/core/findings/types.ts';
import { type AnyTool, defineTool } from '../../src/core/tool/definition.ts';

const WORD = Type.String({ pattern: '^[a-z0-9]{1,40}$', description: 'a word' });

const draftOf = (host: string, word: string, index: number): FindingDraft => ({
  kind: 'note',
  target: host,
  key: `${word}${index}`,
  title: `${word} ${index}`,
  severity: 'low',
  confidence: 'confirmed',
  evidence: word,
});

/** A real program that prints a word about a host, states two findings with it, and keeps a secret. */
export const markTool: AnyTool = defineTool({
  name: 'mark',
  title: 'Mark a host',
  description: 'Prints a word.',
  binary: 'echo',
  debianPackage: 'coreutils',
  risk: 'observe',
  timeoutMs: 60_000,
  maxTimeoutMs: 120_000,
  concurrency: 2,
  maxConcurrency: 4,
  limits: { maxAddresses: 1, maxPorts: 0 },
  input: Type.Object({ host: HostSchema, word: WORD, secret: WORD }, { additionalProperties: false }),
  output: Type.Object({ word: Type.String(), secretRef: Type.String() }, { additionalProperties: false }),
  targets: (input) => [{ role: 'host', kind: 'host', value: input.host }],
  grammar: { options: {}, operands: /^[a-z0-9]{1,40}$/ },
  argv: (input) => [input.word],
  parse: ({ input, context }) => ({
    stdout: () => undefined,
    end: () => ({
      result: { word: input.word, secretRef: context.keepSecret({ kind: 'password', value: input.secret }) },
      complete: true,
    }),
  }),
  findings: ({ input, result }) => [0, 1].map((index) => draftOf(input.host, result.word, index)),
  coverage: () => ({ areas: [{ kinds: ['note'] }], missing: [] }),
  probe: { argv: ['--version'], version: /coreutils\) (\S+)/ },
  examples: [{ title: 'a host', input: { host: '10.0.0.1', word: 'hello', secret: 'hidden1' }, argv: ['hello'] }],
});
