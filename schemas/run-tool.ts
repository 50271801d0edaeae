import { type Static, Type } from '@sinclair/typebox';
import { RUN_STATES } from './run-record.ts';
import { RunOptionsSchema, toolAnswerSchema } from './run.ts';

const closed = { additionalProperties: false };
const RunId = Type.String({ minLength: 1, maxLength: 128 });
const Cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: 1024, description: 'nextCursor of the page before' }),
);
const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 200 }));
const maxTokens = RunOptionsSchema.properties.maxTokens;
const MaxTokens = Type.Optional(Type.Integer({ minimum: maxTokens.minimum ?? 0, maximum: maxTokens.maximum ?? 0 }));
const Time = Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339' }));
const State = Type.Unsafe<(typeof RUN_STATES)[number]>({ enum: [...RUN_STATES] });

/** Longest that `run_status` waits, milliseconds: below the usual time-out of a client. */
export const MAX_STATUS_WAIT_MS = 45_000;

/** Arguments of the MCP tool `run_status`. */
export const RunStatusInput = Type.Object(
  {
    runId: RunId,
    waitMs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: MAX_STATUS_WAIT_MS, description: 'wait this long for its end' }),
    ),
    maxTokens: MaxTokens,
  },
  closed,
);
/** Arguments of the MCP tool `run_result`. */
export const RunResultInput = Type.Object(
  {
    runId: RunId,
    path: Type.Optional(
      Type.String({ maxLength: 1024, description: 'part of `result`, as in `shortened` with a number for *' }),
    ),
    offset: Type.Optional(Type.Integer({ minimum: 0, description: 'entry or character at which to begin' })),
    maxTokens: MaxTokens,
  },
  closed,
);
/** Arguments of the MCP tool `run_findings`. */
export const RunFindingsInput = Type.Object(
  { runId: RunId, cursor: Cursor, limit: Limit, maxTokens: MaxTokens },
  closed,
);
/** Arguments of the MCP tool `run_list`. */
export const RunListInput = Type.Object(
  {
    tool: Type.Optional(Type.String({ maxLength: 64 })),
    state: Type.Optional(Type.Array(State, { minItems: 1, maxItems: RUN_STATES.length })),
    target: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
    since: Time,
    until: Time,
    cursor: Cursor,
    limit: Limit,
    maxTokens: MaxTokens,
  },
  closed,
);
/** Arguments of the MCP tool `run_diff`. */
export const RunDiffInput = Type.Object(
  {
    from: Type.String({ minLength: 1, maxLength: 128, description: 'the earlier run' }),
    to: RunId,
    unchanged: Type.Optional(Type.Boolean({ description: 'also what did not change' })),
    cursor: Cursor,
    limit: Limit,
    maxTokens: MaxTokens,
  },
  closed,
);
/** Arguments of the MCP tool `run_cancel`. */
export const RunCancelInput = Type.Object({ runId: RunId }, closed);

export type RunStatusArguments = Static<typeof RunStatusInput>;
export type RunResultArguments = Static<typeof RunResultInput>;
export type RunFindingsArguments = Static<typeof RunFindingsInput>;
export type RunListArguments = Static<typeof RunListInput>;
export type RunDiffArguments = Static<typeof RunDiffInput>;
export type RunCancelArguments = Static<typeof RunCancelInput>;

const Any = Type.Unknown();
const Texts = Type.Array(Type.String());
const OptionalText = Type.Optional(Type.String());

/** Answer of `run_status` and `run_cancel`. */
export const RunStatusOutput = Type.Object(
  {
    runId: Type.String(),
    tool: Type.String(),
    state: State,
    complete: Type.Boolean(),
    untrusted: Type.String(),
    next: Type.String(),
    createdAt: OptionalText,
    startedAt: OptionalText,
    endedAt: OptionalText,
    durationMs: Type.Optional(Type.Integer()),
    timeoutMs: Type.Optional(Type.Integer()),
    error: Type.Optional(Any),
    progress: Type.Optional(Any),
    findings: Type.Optional(Any),
    targets: Type.Optional(Texts),
    degraded: Type.Optional(Texts),
  },
  closed,
);
const { state: _state, progress: _progress, ...ended } = toolAnswerSchema(Any).properties;
/** Answer of `run_result`: as the tool answered, or one part of its `result`. */
export const RunResultOutput = Type.Object(
  {
    ...ended,
    result: Any,
    path: OptionalText,
    offset: Type.Optional(Type.Integer()),
    total: Type.Optional(Type.Integer()),
    nextOffset: Type.Optional(Type.Integer()),
  },
  closed,
);
/** Answer of `run_findings`. */
export const RunFindingsOutput = Type.Object(
  { runId: Type.String(), untrusted: Type.String(), findings: Type.Array(Any), nextCursor: OptionalText },
  closed,
);
/** Answer of `run_list`. */
export const RunListOutput = Type.Object(
  { untrusted: Type.String(), runs: Type.Array(Any), nextCursor: OptionalText },
  closed,
);
/** Answer of `run_diff`. */
export const RunDiffOutput = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    untrusted: Type.String(),
    counts: Any,
    notes: Texts,
    entries: Type.Array(Any),
    nextCursor: OptionalText,
  },
  closed,
);
