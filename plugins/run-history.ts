import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { FindingPageSchema } from '../schemas/finding.ts';
import { OutputQuerySchema, PageQuerySchema, RunListQuerySchema } from '../schemas/query.ts';
import { AnyRunResultSchema } from '../schemas/run.ts';
import { OutputPageSchema, RunPageSchema, RunSchema } from '../schemas/run-record.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { integerOf, LIMIT, momentOf, statesOf } from '../src/core/rest/query.ts';
import { callerOf, runCallOf } from '../src/core/rest/run-request.ts';
import type { RunHistory } from '../src/core/run/types.ts';

interface OfRun {
  Params: { id: string };
}

const OUTPUT_LIMIT = { name: 'limit', minimum: 1, maximum: 1_048_576 };
const OFFSET = { name: 'offset', minimum: 0, maximum: 999_999_999_999_999 };

/** The runs of the past and present: list, record, result, output, findings; ending and removing one. */
export default fp<{ history: RunHistory }>(
  async (app, { history }) => {
    addRecords(app, history);
    addParts(app, history);
    addChanges(app, history);
  },
  { name: 'run-history', dependencies: ['auth', 'principal-limit'] },
);

function addRecords(app: FastifyInstance, history: RunHistory): void {
  app.get<{ Querystring: Static<typeof RunListQuerySchema> }>(
    '/v1/runs',
    described('Runs, newest first.', RunPageSchema, RunListQuerySchema),
    async (request) => {
      const { state, since, until, limit, ...same } = request.query;
      return history.list(callerOf(request), {
        ...same,
        state: statesOf(state),
        since: momentOf(since, 'since'),
        until: momentOf(until, 'until'),
        limit: integerOf(limit, LIMIT),
      });
    },
  );
  app.get<OfRun>('/v1/runs/:id', described('One run as it is now.', RunSchema), async (request) =>
    history.get(...runCallOf(request)),
  );
}

function addParts(app: FastifyInstance, history: RunHistory): void {
  app.get<OfRun>(
    '/v1/runs/:id/result',
    described('The whole answer of an ended run.', AnyRunResultSchema),
    async (request) => history.result(...runCallOf(request)),
  );
  app.get<OfRun & { Querystring: Static<typeof OutputQuerySchema> }>(
    '/v1/runs/:id/output',
    described('A part of what the tool wrote.', OutputPageSchema, OutputQuerySchema),
    async (request) => {
      const { stream, offset, limit } = request.query;
      return history.output(...runCallOf(request), {
        stream,
        offset: integerOf(offset, OFFSET),
        limit: integerOf(limit, OUTPUT_LIMIT),
      });
    },
  );
  app.get<OfRun & { Querystring: Static<typeof PageQuerySchema> }>(
    '/v1/runs/:id/findings',
    described('What one run found, worst first.', FindingPageSchema, PageQuerySchema),
    async (request) => {
      const { limit, cursor } = request.query;
      return history.findings(...runCallOf(request), { limit: integerOf(limit, LIMIT), cursor });
    },
  );
}

function addChanges(app: FastifyInstance, history: RunHistory): void {
  app.post<OfRun>(
    '/v1/runs/:id/cancel',
    described('Ends a queued or running run; an ended one stays as it is.', RunSchema),
    async (request) => history.cancel(...runCallOf(request)),
  );
  app.delete<OfRun>(
    '/v1/runs/:id',
    { schema: { tags: ['runs'], summary: 'Removes an ended run.', ...answers(Type.Null(), 204) } },
    async (request, reply) => {
      await history.remove(...runCallOf(request));
      return reply.code(204).send();
    },
  );
}

function described(summary: string, answer: TSchema, querystring?: TSchema) {
  const schema = { tags: ['runs'], summary, ...answers(answer) };
  return {
    serializerCompiler: serializeWhole,
    schema: querystring === undefined ? schema : { ...schema, querystring },
  };
}
