import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import { ErrorBodySchema } from '../schemas/error.ts';
import { type RunOptions, RunOptionsSchema } from '../schemas/run.ts';
import { SallyportError } from '../src/core/errors.ts';
import type { RunEngine } from '../src/core/run/types.ts';
import { callerSchema } from '../src/core/tool/input-schema.ts';
import type { RegisteredTool, Registry } from '../src/core/tool/registry-types.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the OpenAPI document shows instead of the schema that the route checks. */
    documented?: { readonly body: unknown; readonly response: unknown };
  }
}

/** The route checks the envelope only; the tool's own schema (JSON Schema 2020-12) is checked once, in core. */
const EnvelopeSchema = Type.Object(
  { input: Type.Object({}, { additionalProperties: true }), run: Type.Optional(RunOptionsSchema) },
  { additionalProperties: false },
);
interface Envelope {
  input: Record<string, unknown>;
  run?: RunOptions;
}

/** One concrete route per tool, so that the OpenAPI document shows each tool's own body and answer. */
export default fp<{ registry: Registry; engine: RunEngine }>(
  async (app, { registry, engine }) => {
    for (const tool of registry.all()) {
      const { name, title } = tool.definition;
      app.post<{ Body: Envelope }>(
        `/v1/tools/${name}/runs`,
        {
          config: { accessPattern: '/v1/tools/:name/runs', documented: documented(tool) },
          schema: { tags: ['runs'], summary: title, body: EnvelopeSchema },
        },
        async (request) => {
          if (request.principal === null) throw new SallyportError('ERR_AUTH_REQUIRED', 'Send a key.');
          return engine.call({
            tool: name,
            input: request.body.input,
            run: request.body.run,
            principal: request.principal,
            requestId: request.id,
            signal: request.disconnected,
          });
        },
      );
    }
    // A name that is no tool is the tool's error, not the route's.
    app.post<{ Params: { name: string } }>('/v1/tools/:name/runs', { schema: { hide: true } }, async (request) => {
      registry.get(request.params.name);
      throw new SallyportError('ERR_TOOL_UNKNOWN', 'There is no such tool.');
    });
  },
  { name: 'runs', dependencies: ['auth', 'principal-limit', 'tools'] },
);

function documented(tool: RegisteredTool): { body: unknown; response: unknown } {
  const body = Type.Object(
    { input: callerSchema(tool.definition.input), run: Type.Optional(RunOptionsSchema) },
    { additionalProperties: false },
  );
  return { body, response: { 200: tool.outputSchema, default: ErrorBodySchema } };
}
