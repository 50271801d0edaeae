import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { ToolDetailSchema, ToolSummarySchema } from '../schemas/tool.ts';
import type { Audit } from '../src/core/audit/types.ts';
import type { Log } from '../src/core/log.ts';
import { callerOf } from '../src/core/rest/run-request.ts';
import type { Registry } from '../src/core/tool/registry-types.ts';
import type { ToolViews } from '../src/core/tool/views.ts';

export interface ToolRoutesOptions {
  readonly registry: Registry;
  readonly views: ToolViews;
  /** Resolves once the switch is durable. */
  readonly setEnabled: (name: string, enabled: boolean) => Promise<void>;
  readonly audit: Pick<Audit, 'append'>;
  readonly log: Log;
}

const NameSchema = Type.Object({ name: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false });
type Named = { Params: { name: string } };

/** The list of tools, one tool whole, and switching one on or off. */
export default fp<ToolRoutesOptions>(
  async (app, options) => {
    const { registry, views } = options;
    app.get(
      '/v1/tools',
      {
        schema: {
          tags: ['tools'],
          summary: 'All loaded tools and whether each may be called now.',
          response: { 200: Type.Object({ tools: Type.Array(ToolSummarySchema) }, { additionalProperties: false }) },
        },
      },
      async (request) => ({ tools: registry.all().map((tool) => views.summary(tool, callerOf(request))) }),
    );

    app.get<Named>(
      '/v1/tools/:name',
      {
        schema: {
          tags: ['tools'],
          summary: 'One tool: schemas, limits, state.',
          params: NameSchema,
          response: { 200: ToolDetailSchema },
        },
      },
      async (request) => views.detail(registry.get(request.params.name), callerOf(request)),
    );

    addSwitches(app, options);
  },
  { name: 'tools', dependencies: ['auth', 'principal-limit'] },
);

function addSwitches(app: FastifyInstance, { registry, views, setEnabled, audit, log }: ToolRoutesOptions): void {
  for (const verb of ['enable', 'disable'] as const) {
    app.post<Named>(
      `/v1/tools/:name/${verb}`,
      {
        schema: {
          tags: ['tools'],
          summary: `${verb} a tool, also after a restart.`,
          params: NameSchema,
          response: { 200: ToolSummarySchema },
        },
      },
      async (request) => {
        const tool = registry.get(request.params.name);
        await audit.append({
          type: verb === 'enable' ? 'tool.enabled' : 'tool.disabled',
          principal: request.principal?.id,
          requestId: request.id,
          data: { tool: tool.definition.name },
        });
        await setEnabled(tool.definition.name, verb === 'enable');
        log.info(verb === 'enable' ? 'tool.enabled' : 'tool.disabled', {
          requestId: request.id,
          tool: tool.definition.name,
          principal: request.principal?.id,
        });
        return views.summary(registry.get(tool.definition.name), callerOf(request));
      },
    );
  }
}
