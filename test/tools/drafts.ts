import assert from 'node:assert/strict';
import { Type } from '@sinclair/typebox';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CONFIDENCES, FindingKindSchema, SeveritySchema } from '../../schemas/finding.ts';
import { fingerprintOf } from '../../src/core/findings/fingerprint.ts';
import type { Coverage, FindingDraft } from '../../src/core/findings/types.ts';
import type { RegisteredTool } from '../../src/core/tool/registry-types.ts';
import { type Fed, feed, type Prepared } from './under-test.ts';

const closed = { additionalProperties: false };
const text = Type.String({ minLength: 1 });
const Port = Type.Integer({ minimum: 0, maximum: 65_535 });
const DraftSchema = Type.Object(
  {
    kind: FindingKindSchema,
    target: text,
    address: Type.Optional(Type.String({ pattern: '^[0-9a-f.:]{2,45}$' })),
    port: Type.Optional(Port),
    protocol: Type.Optional(Type.String({ pattern: '^(tcp|udp|sctp|ip)$' })),
    key: Type.Optional(text),
    title: text,
    severity: SeveritySchema,
    confidence: Type.Union(CONFIDENCES.map((each) => Type.Literal(each))),
    evidence: Type.Optional(Type.String({ maxLength: 2000 })),
    references: Type.Optional(Type.Array(Type.String({ pattern: '^(CVE-\\d{4}-\\d{4,}|CWE-\\d+|secret.+)$' }))),
    attributes: Type.Optional(Type.Record(Type.String({ pattern: '^[a-zA-Z]+$' }), Type.Unknown())),
  },
  closed,
);
const CoverageSchema = Type.Object(
  {
    areas: Type.Array(
      Type.Object(
        {
          kinds: Type.Array(FindingKindSchema, { minItems: 1 }),
          network: Type.Optional(Type.String({ pattern: '^[0-9a-f.:]{2,45}(/\\d{1,3})?$' })),
          protocol: Type.Optional(text),
          ports: Type.Optional(Type.Array(Type.Object({ from: Port, to: Port }, closed))),
          subject: Type.Optional(text),
          method: Type.Optional(text),
        },
        closed,
      ),
    ),
    missing: Type.Array(text),
  },
  closed,
);
const ajv = new Ajv2020({ strict: true });
const isDraft = ajv.compile(DraftSchema);
const isCoverage = ajv.compile(CoverageSchema);

/** What a tool makes of one output: the result, its findings, its coverage, and what it told on the way. */
export interface Concluded {
  readonly complete: boolean;
  readonly drafts: readonly FindingDraft[];
  readonly coverage: Coverage;
  readonly live: readonly FindingDraft[];
  readonly kept: readonly string[];
  /** Everything that leaves the tool, as one text. */
  readonly shown: string;
}

/** Feeds an output and asserts what holds for the findings and the coverage of every tool. */
export function concluded(tool: RegisteredTool, call: Prepared, fed: Fed): Concluded {
  const kept: string[] = [];
  const context: Prepared['context'] = {
    ...call.context,
    keepSecret: (secret) => {
      kept.push(secret.value);
      return call.context.keepSecret(secret);
    },
  };
  const { result, complete, events } = feed(tool, { ...call, context }, fed);
  const facts = { input: call.input, pinned: call.pinned, context: call.context, result, complete };
  const drafts = tool.definition.findings(facts as never);
  const coverage = tool.definition.coverage(facts as never);
  const live = events.flatMap((event) => (event.kind === 'finding' && event.draft !== undefined ? [event.draft] : []));
  for (const draft of [...drafts, ...live]) {
    assert.ok(isDraft(draft), `${JSON.stringify(isDraft.errors?.slice(0, 2))} ${JSON.stringify(draft)}`);
  }
  assert.ok(isCoverage(coverage), JSON.stringify(isCoverage.errors?.slice(0, 2)));
  assert.deepEqual(JSON.parse(JSON.stringify(drafts)), drafts, 'a draft holds something that JSON does not');
  assert.deepEqual(tool.definition.findings(facts as never), drafts, 'the same result has the same findings');
  assert.deepEqual(tool.definition.coverage(facts as never), coverage);
  assert.equal(new Set(drafts.map(fingerprintOf)).size, drafts.length, 'two findings of one run are about the same');
  return { complete, drafts, coverage, live, kept, shown: JSON.stringify([result, events, drafts, coverage]) };
}

/** A finding in one line: kind, place and key. */
export function lineOf({ kind, target, address, port, protocol, key }: FindingDraft): string {
  return [kind, address ?? target, port === undefined ? protocol : `${port}/${protocol}`, key]
    .filter((part) => part !== undefined)
    .join(' ');
}
