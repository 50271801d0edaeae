import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Access, accessOf } from '../src/core/auth/access.ts';
import type { Authenticator, AuthFailure } from '../src/core/auth/keys.ts';
import type { Principal } from '../src/core/auth/types.ts';
import { SallyportError } from '../src/core/errors.ts';
import type { Log } from '../src/core/log.ts';
import type { Recorder } from '../src/core/metrics/table.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The authenticated caller; null on public routes. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** The row of src/core/auth/access.ts, when it is not the route's own pattern. */
    accessPattern?: string;
  }
}

export interface AuthOptions {
  readonly authenticator: Authenticator;

  readonly log: Log;
  readonly recorder: Recorder;
}

const GUESSES: ReadonlySet<string> = new Set<AuthFailure>(['unknown', 'expired', 'revoked']);

/** Decides who is calling, and whether this route is theirs, before the body is read. */
export default fp<AuthOptions>(
  async (app, { authenticator, log, recorder }) => {
    app.decorateRequest('principal', null);

    app.addHook('onRoute', (route) => {
      const methods = Array.isArray(route.method) ? route.method : [route.method];
      for (const method of methods) {
        if (accessOf(method, route.config?.accessPattern ?? route.url) === undefined) {
          throw new Error(`route ${method} ${route.url} is missing in src/core/auth/access.ts`);
        }
      }
    });

    app.addHook('onRequest', async (request) => {
      // Not `is404`: that is also true for routes that a plugin registered with a configuration of its own.
      if (request.routeOptions.url === undefined) return;
      const access = rowOf(request);
      if (access.kind === 'public') return;
      const sent = authorizationHeaders(request.raw.rawHeaders);
      const header = access.kind === 'browser' ? sent.map(fromBasic) : sent;
      if (access.kind === 'optional' && header.length === 0) return;
      const principal = await identify(app, { authenticator, log, recorder }, { request, header });
      request.principal = principal;
      if (access.kind === 'optional' || principal.scopes.has(access.scope)) return;
      recorder.count('sallyport_auth_failures_total', { reason: 'scope' });
      log.warn('auth.refused', { requestId: request.id, principal: principal.id, reason: 'scope' });
      throw new SallyportError('ERR_AUTH_FORBIDDEN', `This key lacks the scope ${access.scope}.`, {
        details: { scope: access.scope },
      });
    });
  },
  { name: 'auth', dependencies: ['request-context', 'errors', 'rate-limit'] },
);

async function identify(
  app: FastifyInstance,
  { authenticator, log, recorder }: AuthOptions,
  { request, header }: { request: FastifyRequest; header: readonly string[] },
): Promise<Principal> {
  try {
    return await authenticator.authenticate(header);
  } catch (thrown) {
    if (!(thrown instanceof SallyportError) || thrown.code !== 'ERR_AUTH_REQUIRED') throw thrown;
    // Why it failed is for the operator; the caller gets the same answer for every reason.
    const reason = thrown.cause instanceof Error ? thrown.cause.message : 'unknown';
    log.warn('auth.refused', { requestId: request.id, address: request.ip, reason });
    recorder.count('sallyport_auth_failures_total', { reason });
    // Only what could have been a guess: a page that makes a browser ask without a key must not shut its owner out.
    if (GUESSES.has(reason)) await app.countAuthFailure(request);
    throw thrown;
  }
}

function rowOf(request: FastifyRequest): Access {
  const { method, routeOptions } = request;
  const access = accessOf(method, routeOptions.config.accessPattern ?? routeOptions.url ?? '');
  // Fail closed: a route that slipped past onRoute is nobody's.
  if (access === undefined) throw new SallyportError('ERR_AUTH_FORBIDDEN', 'This route has no access rule.');
  return access;
}

/** All of them: Node keeps the first of several silently, and a proxy may have judged another one. */
function authorizationHeaders(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter(
    (_text, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization',
  );
}

/** A browser's Basic credentials as a bearer header: the password is the key, the user name is not looked at. */
function fromBasic(header: string): string {
  const match = /^Basic ([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(header);
  if (match?.[1] === undefined) return header;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  return `Bearer ${text.slice(text.indexOf(':') + 1)}`;
}
