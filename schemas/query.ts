import { Type } from '@sinclair/typebox';
import { FindingKindSchema, SeveritySchema } from './finding.ts';
import { RUN_STATES } from './run-record.ts';

const closed = { additionalProperties: false };
const oneState = `(${RUN_STATES.join('|')})`;

/** A whole number as a query carries it: a text. "05", "+5", "5.0" and "1e3" are none. */
const IntegerText = (description: string) => Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$', description });
const TimeText = (description: string) => Type.String({ format: 'date-time', maxLength: 40, description });
const StatesText = Type.String({ pattern: `^${oneState}(,${oneState})*$`, maxLength: 120 });
const Plain = (description: string) => Type.String({ pattern: '^[!-~]+$', maxLength: 2048, description });
const ToolName = Type.String({ pattern: '^[a-z_]+$', maxLength: 64 });
const paging = {
  limit: Type.Optional(IntegerText('entries of a page, 1 to 200; default 50')),
  cursor: Type.Optional(Plain('`nextCursor` of the page before')),
};

/** Query of a list that has no filters. */
export const PageQuerySchema = Type.Object(paging, closed);

/** Query of GET /v1/runs; all given conditions hold. */
export const RunListQuerySchema = Type.Object(
  {
    tool: Type.Optional(ToolName),
    state: Type.Optional(
      Type.Union([StatesText, Type.Array(StatesText, { minItems: 1, maxItems: RUN_STATES.length })], {
        description: 'one state or several: repeated, or with commas between',
      }),
    ),
    target: Type.Optional(Plain('canonical target, or an address of one')),
    since: Type.Optional(TimeText('created at or after (RFC 3339)')),
    until: Type.Optional(TimeText('created before (RFC 3339)')),
    ...paging,
  },
  closed,
);

/** Query of GET /v1/runs/:id/output. */
export const OutputQuerySchema = Type.Object(
  {
    stream: Type.Optional(Type.Union([Type.Literal('stdout'), Type.Literal('stderr')])),
    offset: Type.Optional(IntegerText('bytes of the kept stream; default 0')),
    limit: Type.Optional(IntegerText('bytes, 1 to 1048576; default 65536')),
  },
  closed,
);

/** Query of GET /v1/findings; all given conditions hold. */
export const FindingListQuerySchema = Type.Object(
  {
    kind: Type.Optional(FindingKindSchema),
    severity: Type.Optional(SeveritySchema),
    tool: Type.Optional(ToolName),
    target: Type.Optional(Plain('target or address, exact')),
    port: Type.Optional(IntegerText('0 to 65535')),
    since: Type.Optional(TimeText('last seen at or after (RFC 3339)')),
    ...paging,
  },
  closed,
);

/** Query of GET /v1/diff. */
export const DiffQuerySchema = Type.Object(
  {
    from: Plain('id of the earlier run'),
    to: Plain('id of the later run'),
    unchanged: Type.Optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'also list what did not change' }),
    ),
    ...paging,
  },
  closed,
);
