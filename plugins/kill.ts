import fp from 'fastify-plugin';
import { type KillBody, KillBodySchema, KillReportSchema, KillStateSchema } from '../schemas/kill.ts';
import type { KillRequest, KillSwitch } from '../src/core/kill/types.ts';
import { callerOf, type RunCallRequest } from '../src/core/rest/run-request.ts';

export interface KillRoutesOptions {
  readonly killSwitch: Pick<KillSwitch, 'state' | 'engage' | 'lift'>;
}

/** The kill switch: which are on, pulling one, lifting one. */
export default fp<KillRoutesOptions>(
  async (app, { killSwitch }) => {
    app.get(
      '/v1/kill',
      {
        schema: {
          tags: ['operations'],
          summary: 'The kill switches that are on.',
          response: { 200: KillStateSchema },
        },
      },
      async () => killSwitch.state(),
    );

    app.post<{ Body: KillBody }>(
      '/v1/kill',
      {
        schema: {
          tags: ['operations'],
          summary: 'Ends every run, or those of one engagement, and refuses new ones until it is lifted.',
          body: KillBodySchema,
          response: { 200: KillReportSchema },
        },
      },
      async (request) => killSwitch.engage(killRequestOf(request)),
    );

    app.post<{ Body: KillBody }>(
      '/v1/kill/lift',
      {
        schema: {
          tags: ['operations'],
          summary: 'Lifts one kill switch; the others stay on.',
          body: KillBodySchema,
          response: { 200: KillStateSchema },
        },
      },
      async (request) => killSwitch.lift(killRequestOf(request)),
    );
  },
  { name: 'kill', dependencies: ['auth', 'principal-limit'] },
);

type KillCall = Pick<RunCallRequest, 'principal'> & { readonly id: string; readonly body: KillBody };

function killRequestOf({ principal, id, body: { engagement, reason } }: KillCall): KillRequest {
  return { engagement, reason, by: callerOf({ principal }).id, requestId: id };
}
