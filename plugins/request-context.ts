import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Log } from '../src/core/log.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Aborts when the client goes away before the answer was written whole. */
    readonly disconnected: AbortSignal;
  }
}

const controllers = new WeakMap<FastifyRequest, AbortController>();
const answered = new WeakSet<FastifyRequest>();

/** Gives every request its id (also in the answer), its log line, and a signal that tells when the client left. */
export default fp<{ log: Log }>(
  async (app, { log }) => {
    app.decorateRequest('disconnected', {
      getter() {
        return controllerOf(this).signal;
      },
    });

    app.addHook('onRequest', async (request, reply) => {
      reply.header('x-request-id', request.id);
      const controller = controllerOf(request);
      // Fastify fires neither onResponse nor onRequestAbort when a client leaves in mid-response; only this event does.
      reply.raw.once('close', () => {
        if (reply.raw.writableFinished || answered.has(request)) return;
        controller.abort();
        log.info('request.aborted', { requestId: request.id, method: request.method, route: request.routeOptions.url });
      });
    });

    app.addHook('onResponse', async (request, reply) => {
      answered.add(request);
      log.info('request.finished', {
        requestId: request.id,
        method: request.method,
        // The pattern, not the URL: a path can hold an identifier and a query can hold anything.
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
        principal: request.principal?.id,
        address: request.ip,
      });
    });
  },
  { name: 'request-context' },
);

function controllerOf(request: FastifyRequest): AbortController {
  const known = controllers.get(request);
  if (known !== undefined) return known;
  const made = new AbortController();
  controllers.set(request, made);
  return made;
}
