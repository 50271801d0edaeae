import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import {
  type Approval,
  ApprovalPageSchema,
  ApprovalSchema,
  type DecisionBody,
  DecisionBodySchema,
} from '../schemas/approval.ts';
import type { Approvals } from '../src/core/approval/types.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { callerOf } from '../src/core/rest/run-request.ts';

export interface ApprovalRoutesOptions {
  readonly approvals: Pick<Approvals, 'list' | 'get' | 'decide'>;
}

/** What can be no id is answered by core as what is not there. */
const ParamsSchema = Type.Object({ id: Type.String() }, { additionalProperties: false });
interface OfRequest {
  Params: { id: string };
}

const VERBS = [
  { verb: 'approve', decision: 'approved', summary: 'Consents to exactly this plan.' },
  { verb: 'deny', decision: 'denied', summary: 'Denies it; one denial ends the request and its run.' },
] as const;

/** Runs that wait for the consent of people, and what people say to them. */
export default fp<ApprovalRoutesOptions>(
  async (app, { approvals }) => {
    const tags = ['approvals'];
    app.get(
      '/v1/approvals',
      {
        serializerCompiler: serializeWhole,
        schema: { tags, summary: 'What you may decide now, oldest first.', ...answers(ApprovalPageSchema) },
      },
      async (request) => ({ approvals: await approvals.list(callerOf(request)) }),
    );
    const one = { params: ParamsSchema, ...answers(ApprovalSchema) };
    app.get<OfRequest>(
      '/v1/approvals/:id',
      {
        serializerCompiler: serializeWhole,
        schema: { tags, summary: 'One request, by the id of its run: exactly what would run.', ...one },
      },
      async (request) => approvals.get(callerOf(request), request.params.id),
    );
    for (const { verb, decision, summary } of VERBS) {
      app.post<OfRequest & { Body: DecisionBody }>(
        `/v1/approvals/:id/${verb}`,
        { serializerCompiler: serializeWhole, schema: { tags, summary, body: DecisionBodySchema, ...one } },
        async (request): Promise<Approval> => {
          const { digest, reason } = request.body;
          const asked = { decision, digest, reason, requestId: request.id };
          return approvals.decide(callerOf(request), request.params.id, asked);
        },
      );
    }
  },
  { name: 'approvals', dependencies: ['auth', 'principal-limit'] },
);
