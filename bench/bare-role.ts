import Fastify from 'fastify';
import type { Answer, Role } from './protocol.ts';

/** A Fastify server with nothing but one route: the given JSON, made anew for each request as a handler would. */
export async function startBareRole(): Promise<Role> {
  const app = Fastify({ logger: false });
  let answers: readonly { readonly status: number; readonly body: unknown }[] = [];
  app.post<{ Params: { at: string } }>('/:at', async (request, reply) => {
    const answer = answers[Number(request.params.at)];
    return reply.code(answer?.status ?? 500).send(answer?.body);
  });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  const parse = ({ status, json }: Answer) => ({ status, body: JSON.parse(json) as unknown });
  return {
    origin,
    key: '',
    handlers: {
      answers: async (ask) => {
        answers = ask.answers.map(parse);
        return {};
      },
    },
    close: () => app.close(),
  };
}
