import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { EngagementSchema, EngagementVersionSchema, EngagementViewSchema } from '../schemas/engagement.ts';
import type { EngagementDesk } from '../src/core/engagement/types.ts';
import { SallyportError } from '../src/core/errors.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { callerOf } from '../src/core/rest/run-request.ts';

const closed = { additionalProperties: false };
const IdSchema = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }, closed);
const ReasonSchema = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed);
type OfOne = { Params: Static<typeof IdSchema> };

/** The engagements as operators read and change them. */
export default fp<{ desk: EngagementDesk }>(
  async (app, { desk }) => {
    addReads(app, desk);
    addDocuments(app, desk);
    for (const verb of ['revoke', 'reinstate'] as const) {
      app.post<OfOne & { Body: Static<typeof ReasonSchema> }>(
        `/v1/engagements/:id/${verb}`,
        described(SUMMARIES[verb], EngagementViewSchema, { params: IdSchema, body: ReasonSchema }),
        async (request) => {
          const { reason } = request.body;
          return desk[verb](callerOf(request), request.params.id, { reason, requestId: request.id });
        },
      );
    }
  },
  { name: 'engagements', dependencies: ['auth', 'principal-limit'] },
);

const SUMMARIES = {
  revoke: 'Revokes an engagement of any source until it is reinstated; its runs end.',
  reinstate: 'Lifts a revocation.',
};

function addReads(app: FastifyInstance, desk: EngagementDesk): void {
  app.get(
    '/v1/engagements',
    described('Every engagement in force.', Type.Object({ engagements: Type.Array(EngagementViewSchema) }, closed)),
    async () => ({ engagements: desk.list() }),
  );
  app.get<OfOne>(
    '/v1/engagements/:id',
    described('One engagement: document, state, notices.', EngagementViewSchema, { params: IdSchema }),
    async (request) => desk.get(request.params.id),
  );
  app.get<OfOne>(
    '/v1/engagements/:id/versions',
    described(
      'Every version that was in force, newest first.',
      Type.Object({ versions: Type.Array(EngagementVersionSchema) }, closed),
      { params: IdSchema },
    ),
    async (request) => ({ versions: await desk.versions(request.params.id) }),
  );
}

function addDocuments(app: FastifyInstance, desk: EngagementDesk): void {
  app.put<OfOne>(
    '/v1/engagements/:id',
    {
      ...described('Puts a whole engagement.', EngagementViewSchema, { params: IdSchema, body: EngagementSchema }),
      // Core checks the document whole and says what is wrong in its own code; the schema here is for the OpenAPI document.
      validatorCompiler: () => () => true,
    },
    async (request) => {
      const { id } = request.params;
      const { body } = request;
      if (!isOf(body, id)) throw otherId(id);
      return desk.put(callerOf(request), body, request.id);
    },
  );
  app.delete<OfOne & { Querystring: Static<typeof ReasonSchema> }>(
    '/v1/engagements/:id',
    {
      schema: {
        tags: ['engagements'],
        summary: 'Removes an engagement that was put by REST; its runs end, its history stays.',
        params: IdSchema,
        querystring: ReasonSchema,
        ...answers(Type.Null(), 204),
      },
    },
    async (request, reply) => {
      const { reason } = request.query;
      await desk.remove(callerOf(request), request.params.id, { reason, requestId: request.id });
      return reply.code(204).send();
    },
  );
}

function isOf(body: unknown, id: string): boolean {
  return (body as { id?: unknown } | null)?.id === id;
}

function otherId(id: string): SallyportError {
  return new SallyportError('ERR_ENGAGEMENT_INVALID', 'The id in the document must be the one in the path.', {
    details: { rule: 'engagement.document', faults: [{ path: '/id', message: `must be ${JSON.stringify(id)}` }] },
  });
}

function described(summary: string, answer: TSchema, parts: Record<string, TSchema> = {}) {
  return {
    serializerCompiler: serializeWhole,
    schema: { tags: ['engagements'], summary, ...parts, ...answers(answer) },
  };
}
