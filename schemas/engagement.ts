import { type Static, Type } from '@sinclair/typebox';
import { RISKS } from './risk.ts';

const closed = { additionalProperties: false };
const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const texts = (description: string, maxItems = 1024) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { description, maxItems });
const limit = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, description }));
const moment = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

/** Id of an engagement: its name in calls, files, metrics and the audit. */
export const ENGAGEMENT_ID = '^[a-z0-9][a-z0-9._-]{0,63}$';

const LIMITS = {
  packetsPerSecond: limit('packets per second, summed over all running runs'),
  probesPerHour: limit('probes within any 60 minutes'),
  runMinutes: limit('minutes of runs in all, over the whole engagement'),
  concurrentRuns: limit('runs at once'),
};

/** Budgets; what is absent is not limited, 0 permits nothing. */
export const BudgetsSchema = Type.Object(
  {
    ...LIMITS,
    guessesPerAccountPerHour: limit('password guesses for one account of one target within any 60 minutes'),
    perTarget: Type.Optional(Type.Object(LIMITS, { ...closed, description: 'the same for each single address' })),
  },
  closed,
);

/** One engagement as the operator writes it: the whole permission. What it does not name is not permitted. */
export const EngagementSchema = Type.Object(
  {
    id: Type.String({ pattern: ENGAGEMENT_ID }),
    title: Type.String({ minLength: 1, maxLength: 200 }),
    approver: Type.String({ minLength: 1, maxLength: 200, description: 'who permitted it; free text, recorded' }),
    principals: texts('names or ids of keys; * is every key'),
    scope: Type.Object(
      { allow: texts('targets that may be touched'), deny: Type.Optional(texts('wins over allow')) },
      closed,
    ),
    ports: Type.Optional(
      Type.Object(
        {
          allow: Type.Optional(texts('the only ports that may be touched')),
          deny: Type.Optional(texts('ports or ranges that may not be touched; wins over allow')),
        },
        closed,
      ),
    ),
    tools: Type.Object(
      { allow: texts('tool names or * patterns'), deny: Type.Optional(texts('wins over allow')) },
      closed,
    ),
    risk: Type.Union(
      RISKS.map((risk) => Type.Literal(risk)),
      { description: 'ceiling' },
    ),
    window: Type.Optional(
      Type.Object(
        {
          from: moment('RFC 3339; not before it'),
          until: moment('RFC 3339; expired from then on'),
          weekly: Type.Optional(
            texts('hours like "Mon-Fri 08:00-18:00 Europe/Berlin"; one of them has to be open', 64),
          ),
          blackout: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  from: Type.String({ format: 'date-time' }),
                  until: Type.String({ format: 'date-time' }),
                  reason: Type.Optional(Type.String({ maxLength: 200 })),
                },
                closed,
              ),
              { maxItems: 256, description: 'times in which nothing runs' },
            ),
          ),
        },
        closed,
      ),
    ),
    approvals: Type.Optional(
      Type.Object(
        {
          from: Type.Union(
            RISKS.map((risk) => Type.Literal(risk)),
            { description: 'needed from this risk up' },
          ),
          quorum: Type.Optional(Type.Integer({ minimum: 1, maximum: 5, description: 'different people; default 1' })),
          ttlMinutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_080, description: 'default 60' })),
          approvers: Type.Optional(texts('names or ids of keys; default every key with runs:approve')),
          selfConfirm: Type.Optional(
            Type.Boolean({ description: 'a confirmation in the requester’s own MCP client counts as one approval' }),
          ),
        },
        closed,
      ),
    ),
    budgets: Type.Optional(BudgetsSchema),
  },
  closed,
);
export type EngagementDocument = Static<typeof EngagementSchema>;

/** Where an engagement is written. */
export const ENGAGEMENT_SOURCES = ['configuration', 'file', 'rest'] as const;
/** How an engagement stands now. Only `open` lets anything run. */
export const ENGAGEMENT_STATES = ['open', 'not_yet', 'closed', 'blackout', 'expired', 'revoked', 'killed'] as const;

/** An engagement as it is shown to those who hold `engagements:read`. */
export const EngagementViewSchema = Type.Object(
  {
    id: Type.String(),
    version: Type.String({ description: 'of the document; another one whenever a word of it changes' }),
    source: Type.Union(ENGAGEMENT_SOURCES.map((source) => Type.Literal(source))),
    state: Type.Union(ENGAGEMENT_STATES.map((state) => Type.Literal(state))),
    why: Type.Optional(Type.String({ description: 'one sentence when it is not open' })),
    opensAt: Type.Optional(Type.String({ format: 'date-time' })),
    closesAt: Type.Optional(Type.String({ format: 'date-time' })),
    revoked: nullable(Type.Object({ at: Type.String(), by: Type.String(), reason: Type.String() }, closed)),
    notices: Type.Array(Type.String(), { description: 'rules that overlap or contradict each other' }),
    document: EngagementSchema,
  },
  closed,
);
export type EngagementView = Static<typeof EngagementViewSchema>;

/** One version of an engagement that was in force. */
export const EngagementVersionSchema = Type.Object(
  {
    id: Type.String(),
    version: Type.String(),
    source: Type.Union(ENGAGEMENT_SOURCES.map((source) => Type.Literal(source))),
    since: Type.String({ format: 'date-time' }),
    by: Type.String({ description: 'id of the principal, or where it was read' }),
    document: EngagementSchema,
  },
  closed,
);
export type EngagementVersion = Static<typeof EngagementVersionSchema>;
