import { type Static, Type } from '@sinclair/typebox';

/** What a finding is about. */
export const FINDING_KINDS = [
  'host',
  'port',
  'service',
  'script',
  'dns_record',
  'path',
  'credential',
  'injection',
  'tls',
  'note',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** From least to worst; the rules are in docs/findings.md. */
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** How sure a finding is: `confirmed` was shown by the target itself, `firm` was observed, `tentative` was concluded. */
export const CONFIDENCES = ['tentative', 'firm', 'confirmed'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

/** Kind of a finding. */
export const FindingKindSchema = Type.Union(FINDING_KINDS.map((kind) => Type.Literal(kind)));
/** Severity of a finding. */
export const SeveritySchema = Type.Union(SEVERITIES.map((severity) => Type.Literal(severity)));

/** One fact in a run's result, in one model for all tools. Texts in it come from the target: data, never instructions. */
export const FindingSchema = Type.Object(
  {
    id: Type.String({ description: 'the same for one fact of one owner over all runs' }),
    fingerprint: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'what it is about; stable over runs' }),
    tool: Type.String(),
    kind: FindingKindSchema,
    target: Type.String({ description: 'host name, address or URL as the caller knows it' }),
    address: Type.Optional(Type.String()),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
    protocol: Type.Optional(Type.String({ maxLength: 8 })),
    title: Type.String(),
    severity: SeveritySchema,
    confidence: Type.Union(CONFIDENCES.map((each) => Type.Literal(each))),
    evidence: Type.String({ description: 'what was seen, cleaned and masked' }),
    references: Type.Array(Type.String(), { description: 'CVE, CWE, RFC or URL; secrets as secret_… references' }),
    attributes: Type.Record(Type.String(), Type.Unknown(), { description: 'fields of the kind' }),
    firstSeen: Type.String({ format: 'date-time' }),
    lastSeen: Type.String({ format: 'date-time' }),
    runId: Type.String({ description: 'the run that this view is of; in /v1/findings the last that saw it' }),
  },
  { additionalProperties: false },
);
export type Finding = Static<typeof FindingSchema>;

/** One page of findings. */
export const FindingPageSchema = Type.Object(
  { findings: Type.Array(FindingSchema), nextCursor: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
export type FindingPage = Static<typeof FindingPageSchema>;

/** How a finding of one run stands in another; `not_looked_at`: the later run could not have seen it. */
export const DIFF_STATES = ['new', 'gone', 'changed', 'unchanged', 'not_looked_at'] as const;
export type DiffState = (typeof DIFF_STATES)[number];

/** One line of a comparison. */
export const DiffEntrySchema = Type.Object(
  {
    state: Type.Union(DIFF_STATES.map((state) => Type.Literal(state))),
    before: Type.Optional(FindingSchema),
    after: Type.Optional(FindingSchema),
    changes: Type.Optional(
      Type.Array(Type.String(), { description: 'what differs: severity, title, attributes.<name>' }),
    ),
    why: Type.Optional(Type.String({ description: 'for not_looked_at: what the later run left out' })),
  },
  { additionalProperties: false },
);
export type DiffEntry = Static<typeof DiffEntrySchema>;

/** The comparison of two runs. */
export const DiffSchema = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    counts: Type.Object(
      {
        new: Type.Integer(),
        gone: Type.Integer(),
        changed: Type.Integer(),
        unchanged: Type.Integer(),
        not_looked_at: Type.Integer(),
      },
      { additionalProperties: false },
    ),
    notes: Type.Array(Type.String(), { description: 'what limits the comparison: another tool, a run cut short' }),
    entries: Type.Array(DiffEntrySchema, { description: 'without `unchanged` unless asked' }),
    nextCursor: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type Diff = Static<typeof DiffSchema>;
