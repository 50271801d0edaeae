import { Type } from '@sinclair/typebox';
import fp from 'fastify-plugin';
import type { Executor } from '../src/core/execution/types.ts';
import type { HealthMonitor } from '../src/core/health/monitor.ts';

const BareSchema = Type.Object({ status: Type.String() }, { additionalProperties: false });

/** The three probes. They read the last background round: no check runs inside a request. */
export default fp<{ health: HealthMonitor; executor: Pick<Executor, 'layers'> }>(
  async (app, { health, executor }) => {
    const live = { summary: 'Is the process alive?', response: { 200: BareSchema } };
    app.get('/health/live', { schema: { tags: ['operations'], ...live } }, async () => ({ status: 'alive' }));

    const ready = { summary: 'Does it take work? 503 when not.', response: { 200: BareSchema, 503: BareSchema } };
    app.get('/health/ready', { schema: { tags: ['operations'], ...ready } }, async (_request, reply) => {
      const { ready: isReady } = health.ready();
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready' });
    });

    app.get(
      '/health',
      {
        schema: {
          tags: ['operations'],
          summary:
            'Health: the status for everybody, the checks and the layers of confinement for holders of health:read.',
        },
      },
      async (request, reply) => {
        const report = health.report();
        reply.code(report.status === 'unhealthy' ? 503 : 200);
        return request.principal?.scopes.has('health:read')
          ? { ...report, confinement: executor.layers }
          : { status: report.status };
      },
    );
  },
  { name: 'health', dependencies: ['auth'] },
);
