import { type Static, Type } from '@sinclair/typebox';
import { ENGAGEMENT_STATES } from './engagement.ts';
import { RISKS } from './risk.ts';

const closed = { additionalProperties: false };
const strings = Type.Array(Type.String());

/** What is left of one budget. */
export const BudgetLeftSchema = Type.Object(
  { budget: Type.String(), limit: Type.Number(), used: Type.Number(), left: Type.Number() },
  closed,
);
export type BudgetLeft = Static<typeof BudgetLeftSchema>;

/** What a principal may do now. */
export const ScopeViewSchema = Type.Object(
  {
    principal: Type.Object({ id: Type.String(), name: Type.String(), scopes: strings }, closed),
    killed: Type.Boolean({ description: 'true: nothing runs, whatever stands below' }),
    mustName: Type.Boolean({ description: 'true: say run.engagement in each call' }),
    engagements: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          title: Type.String(),
          state: Type.Union(ENGAGEMENT_STATES.map((state) => Type.Literal(state))),
          why: Type.Optional(Type.String()),
          opensAt: Type.Optional(Type.String()),
          closesAt: Type.Optional(Type.String()),
          allow: strings,
          deny: strings,
          portsAllow: Type.Optional(strings),
          portsDeny: strings,
          tools: Type.Array(Type.String(), { description: 'that may be called under it now' }),
          risk: Type.Union(RISKS.map((risk) => Type.Literal(risk))),
          approvalFrom: Type.Optional(Type.Union(RISKS.map((risk) => Type.Literal(risk)))),
          budgets: Type.Array(BudgetLeftSchema),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type ScopeView = Static<typeof ScopeViewSchema>;
