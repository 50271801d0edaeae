import type { Static } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { DiffSchema, FindingPageSchema } from '../schemas/finding.ts';
import { DiffQuerySchema, FindingListQuerySchema } from '../schemas/query.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { integerOf, LIMIT, momentOf } from '../src/core/rest/query.ts';
import { callerOf, runIdOf } from '../src/core/rest/run-request.ts';
import type { RunHistory } from '../src/core/run/types.ts';

const PORT = { name: 'port', minimum: 0, maximum: 65_535 };

/** Findings over all runs of the caller, and the comparison of two runs. */
export default fp<{ history: Pick<RunHistory, 'allFindings' | 'diff'> }>(
  async (app, { history }) => {
    app.get<{ Querystring: Static<typeof FindingListQuerySchema> }>(
      '/v1/findings',
      {
        serializerCompiler: serializeWhole,
        schema: {
          tags: ['findings'],
          summary: 'Findings over all runs, last seen first; `severity` is the least that is listed.',
          querystring: FindingListQuerySchema,
          ...answers(FindingPageSchema),
        },
      },
      async (request) => {
        const { port, since, limit, ...same } = request.query;
        return history.allFindings(callerOf(request), {
          ...same,
          port: integerOf(port, PORT),
          since: momentOf(since, 'since'),
          limit: integerOf(limit, LIMIT),
        });
      },
    );
    app.get<{ Querystring: Static<typeof DiffQuerySchema> }>(
      '/v1/diff',
      {
        serializerCompiler: serializeWhole,
        schema: {
          tags: ['findings'],
          summary: 'What is new, gone, changed and not looked at in the run `to`, against the run `from`.',
          querystring: DiffQuerySchema,
          ...answers(DiffSchema),
        },
      },
      async (request) => {
        const { from, to, unchanged, limit, cursor } = request.query;
        return history.diff(callerOf(request), {
          from: runIdOf(from),
          to: runIdOf(to),
          unchanged: unchanged === 'true',
          limit: integerOf(limit, LIMIT),
          cursor,
        });
      },
    );
  },
  { name: 'findings', dependencies: ['auth', 'principal-limit'] },
);
