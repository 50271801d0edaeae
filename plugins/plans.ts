import { type Static, Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { ErrorBodySchema } from '../schemas/error.ts';
import { PlanViewSchema } from '../schemas/plan.ts';
import { PlanOptionsSchema } from '../schemas/plan-tool.ts';
import type { Planner } from '../src/core/plan/planner.ts';
import { answers, serializeWhole } from '../src/core/rest/answers.ts';
import { callerOf } from '../src/core/rest/run-request.ts';
import { callerSchema } from '../src/core/tool/input-schema.ts';
import type { RegisteredTool, Registry } from '../src/core/tool/registry-types.ts';

export interface PlanRoutesOptions {
  readonly registry: Pick<Registry, 'all' | 'get'>;
  readonly planner: Pick<Planner, 'plan' | 'get'>;
}

/** The route checks the envelope only; the tool's own schema (JSON Schema 2020-12) is checked once, in core. */
const EnvelopeSchema = Type.Object(
  { input: Type.Object({}, { additionalProperties: true }), run: Type.Optional(PlanOptionsSchema) },
  { additionalProperties: false },
);
type Envelope = Static<typeof EnvelopeSchema>;

const IdSchema = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false });

/** What would run, one concrete route per tool as for runs; and a plan that was made before. A refusal is an answer of 200. */
export default fp<PlanRoutesOptions>(
  async (app, { registry, planner }) => {
    for (const tool of registry.all()) {
      const { name, title } = tool.definition;
      app.post<{ Body: Envelope }>(
        `/v1/tools/${name}/plan`,
        {
          serializerCompiler: serializeWhole,
          config: { accessPattern: '/v1/tools/:name/plan', documented: documented(tool) },
          schema: { tags: ['plans'], summary: `What would run: ${title}`, body: EnvelopeSchema },
        },
        async (request) => planner.plan(callerOf(request), { tool: name, ...request.body, requestId: request.id }),
      );
    }
    // A name that is no tool is the tool's error, not the route's.
    app.post<{ Params: { name: string } }>('/v1/tools/:name/plan', { schema: { hide: true } }, async (request) =>
      registry.get(request.params.name),
    );

    app.get<{ Params: Static<typeof IdSchema> }>(
      '/v1/plans/:id',
      {
        serializerCompiler: serializeWhole,
        schema: { tags: ['plans'], summary: 'A plan of yours.', params: IdSchema, ...answers(PlanViewSchema) },
      },
      async (request) => planner.get(callerOf(request), request.params.id),
    );
  },
  { name: 'plans', dependencies: ['auth', 'principal-limit', 'tools'] },
);

function documented({ definition }: RegisteredTool): { body: unknown; response: unknown } {
  const body = Type.Object(
    { input: callerSchema(definition.input), run: Type.Optional(PlanOptionsSchema) },
    { additionalProperties: false },
  );
  return { body, response: { 200: PlanViewSchema, default: ErrorBodySchema } };
}
