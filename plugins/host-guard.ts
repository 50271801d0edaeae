import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { SallyportError } from '../src/core/errors.ts';
import type { Log } from '../src/core/log.ts';
import type { Recorder } from '../src/core/metrics/table.ts';

export interface HostGuardOptions {
  /** Host names accepted, lower case, without port; read at each request so that a reload applies. */
  readonly allowedHosts: () => readonly string[];
  /** Origins accepted, `scheme://host[:port]`. */
  readonly allowedOrigins: () => readonly string[];
  readonly log: Log;
  readonly recorder: Recorder;
}

const PROBES = new Set(['/health/live', '/health/ready']);

/**
 * Refuses requests made for another host or by another origin.
 * The attack: a web page in the operator's browser that resolves its own name to our address (DNS rebinding), or that
 * simply posts to loopback. Probes of an orchestrator come by address, so the two bare probes are exempt.
 */
export default fp<HostGuardOptions>(
  async (app, { allowedHosts, allowedOrigins, log, recorder }) => {
    const refuseOrigin = (request: FastifyRequest): never => {
      log.warn('origin.refused', { requestId: request.id, address: request.ip });
      recorder.count('sallyport_auth_failures_total', { reason: 'origin' });
      throw new SallyportError(
        'ERR_ORIGIN_FORBIDDEN',
        'This Origin may not call; the operator lists origins in allowedOrigins.',
      );
    };
    app.addHook('onRequest', async (request) => {
      if (PROBES.has(request.routeOptions.url ?? '')) return;
      const host = isPlain(request) ? hostName(request.headers.host) : undefined;
      if (host === undefined || !allowedHosts().includes(host)) {
        log.warn('host.refused', { requestId: request.id, address: request.ip });
        recorder.count('sallyport_auth_failures_total', { reason: 'host' });
        throw new SallyportError(
          'ERR_HOST_FORBIDDEN',
          'This Host header is not served here; the operator lists names in allowedHosts.',
        );
      }
      const { origin, 'sec-fetch-site': site, 'sec-fetch-mode': mode } = request.headers;
      // Images and scripts of a foreign page carry no Origin; a browser says so itself (Fetch Metadata, W3C). Following
      // a link to a page of ours is no such request.
      if (site === 'cross-site' && mode !== 'navigate') refuseOrigin(request);
      if (origin !== undefined && !allowedOrigins().includes(origin) && !isOwnOrigin(origin, request.headers.host)) {
        refuseOrigin(request);
      }
    });
  },
  { name: 'host-guard', dependencies: ['request-context', 'errors'] },
);

/** One Host header and a target in origin form: with two of either, whoever stands before us may have judged the other. */
function isPlain({ raw }: FastifyRequest): boolean {
  const hosts = raw.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host');
  return hosts.length === 1 && (raw.url ?? '').startsWith('/');
}

/** The name part of a Host header (RFC 9110 section 7.2), lower case; undefined when it is not one. */
function hostName(header: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(header ?? '');
  const name = match?.[1]?.toLowerCase();
  if (name === undefined) return undefined;
  const bare = name.replace(/^\[|\]$/g, '');
  return isIP(bare) === 6 ? bare : name;
}

/** A page that we served ourselves: its origin is exactly the host it was asked from, which was checked before. */
function isOwnOrigin(origin: string, host: string | undefined): boolean {
  return origin === `http://${host}` || origin === `https://${host}`;
}
