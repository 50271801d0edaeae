import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Principal } from '../src/core/auth/types.ts';
import { SallyportError } from '../src/core/errors.ts';
import { parseBody } from '../src/mcp/body.ts';
import { createMcpEndpoint, type McpCounts, type McpEndpointOptions } from '../src/mcp/endpoint.ts';
import type { McpExchange } from '../src/mcp/exchange.ts';
import { guardAgainstStall, STALL_MS } from '../src/mcp/stall-guard.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** What /mcp holds for its clients now. */
    mcpCounts(): McpCounts;
  }
}

/** Everything of the endpoint, and how long a client may leave its stream unread, milliseconds. */
export interface McpPluginOptions extends McpEndpointOptions {
  readonly stallMs?: number;
}

async function mcp(app: FastifyInstance, options: McpPluginOptions): Promise<void> {
  const { log, stallMs = STALL_MS } = options;
  const endpoint = createMcpEndpoint(options);
  app.decorate('mcpCounts', () => endpoint.counts());
  // Before the server waits for open connections: our streams would keep it from ever closing.
  app.addHook('preClose', () => endpoint.close());

  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) =>
      parseBody(bytes),
    );
    // No HEAD route: it would open the stream of GET.
    scope.route({ method: ['GET', 'POST', 'DELETE'], url: '/mcp', exposeHeadRoute: false, handler: serve });
    scope.route({ method: ['HEAD', 'OPTIONS', 'PATCH', 'PUT'], url: '/mcp', handler: refuseMethod });
  });

  async function serve(request: FastifyRequest, reply: FastifyReply) {
    const taken = await endpoint.serve(exchangeOf(request, reply, stallMs)).catch((thrown) => {
      if (!reply.sent) throw thrown;
      // The response is ours already: nobody else can answer, and an exception here would end the process.
      log.error('request.failed', { requestId: request.id, cause: thrown });
      reply.raw.destroy();
    });
    if (taken === undefined) return reply;
    return reply
      .code(taken.status)
      .headers(taken.headers ?? {})
      .send(taken.body);
  }
}

async function refuseMethod(_request: FastifyRequest, reply: FastifyReply): Promise<never> {
  reply.header('allow', 'GET, POST, DELETE');
  throw new SallyportError('ERR_METHOD_UNSUPPORTED', 'Use POST, GET or DELETE.');
}

function exchangeOf(request: FastifyRequest, reply: FastifyReply, stallMs: number): McpExchange {
  const principal = request.getDecorator<Principal | null>('principal');
  // A route that is reached without authentication must answer nothing, whatever went wrong before it.
  if (principal === null) throw new SallyportError('ERR_AUTH_REQUIRED', 'A key is required.');
  const isSlow = () => reply.raw.destroyed || reply.raw.writableNeedDrain;
  return {
    httpMethod: request.method as McpExchange['httpMethod'],
    raw: request.raw,
    body: request.body,
    caller: { principal, requestId: request.id, isSlow },
    take: () => {
      // Hooks that would send these headers do not run for a response that was taken.
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(name, value);
      reply.hijack();
      guardAgainstStall(reply.raw, stallMs);
      return reply.raw;
    },
  };
}

/** Owns /mcp. Needs `request.principal`. */
export default fp(mcp, { name: 'mcp', dependencies: ['auth'] });
