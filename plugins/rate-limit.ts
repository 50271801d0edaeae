import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Redis } from 'ioredis';
import { SallyportError } from '../src/core/errors.ts';
import type { Log } from '../src/core/log.ts';
import type { Recorder } from '../src/core/metrics/table.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts one failed authentication of the client's address; throws ERR_RATE_LIMITED when there were too many. */
    countAuthFailure(request: FastifyRequest): Promise<void>;
    /** Counts one request of the authenticated principal; throws ERR_RATE_LIMITED. */
    countPrincipal(request: FastifyRequest): Promise<void>;
  }
}

export interface RateLimitOptions {
  /** Requests per minute, read at each request so that a reload applies. */
  readonly limits: () => { addressPerMinute: number; authFailuresPerMinute: number; principalPerMinute: number };
  /** Shared counters; in memory when absent. */
  readonly redis?: Redis | undefined;
  readonly log: Log;
  readonly recorder: Recorder;
}

interface Limit {
  readonly by: 'address' | 'auth' | 'principal';
  readonly max: () => number;
  readonly key: (request: FastifyRequest) => string;
}

const MINUTE_MS = 60_000;
const IPV6_SUBNET = 64;
const PROBES = new Set(['/health/live', '/health/ready']);

/** Limits what one address may ask before it is known who calls, and counts what is only known later. */
export default fp<RateLimitOptions>(
  async (app, options) => {
    const { limits, redis } = options;
    await app.register(rateLimit, { global: false, cache: 10_000, ...(redis === undefined ? {} : { redis }) });
    const byAddress = limiter(app, options, { by: 'address', max: () => limits().addressPerMinute, key: addressOf });
    const byFailure = limiter(app, options, { by: 'auth', max: () => limits().authFailuresPerMinute, key: addressOf });
    const byPrincipal = limiter(app, options, {
      by: 'principal',
      max: () => limits().principalPerMinute,
      key: (request) => request.principal?.id ?? '',
    });

    app.addHook('onRequest', async (request) => {
      if (PROBES.has(request.routeOptions.url ?? '')) return;
      // An address that failed too often is refused even with a right key: otherwise guessing could go on.
      await byFailure(request, { increment: false });
      await byAddress(request, { increment: true });
    });
    app.decorate('countAuthFailure', (request) => byFailure(request, { increment: true }));
    app.decorate('countPrincipal', async (request) => {
      if (request.principal !== null) await byPrincipal(request, { increment: true });
    });
  },
  { name: 'rate-limit', dependencies: ['errors'] },
);

/** One IPv6 customer has a whole /64, so that is one client. */
function addressOf(request: FastifyRequest): string {
  return normalizeIP(request.ip, IPV6_SUBNET);
}

function limiter(app: FastifyInstance, { recorder, log }: RateLimitOptions, limit: Limit) {
  const check = app.createRateLimit({
    max: async () => limit.max(),
    timeWindow: MINUTE_MS,
    keyGenerator: (request) => `${limit.by}:${limit.key(request)}`,
  });
  return async (request: FastifyRequest, how: { increment: boolean }) => {
    const state = await check(request, how).catch((cause: unknown) => {
      // Fail closed: without its counters the limit cannot be kept.
      throw new SallyportError('ERR_STORE_UNAVAILABLE', 'The rate-limit counters cannot be reached.', { cause });
    });
    if (state.isAllowed || !state.isExceeded) return;
    recorder.count('sallyport_rate_limited_total', { by: limit.by });
    log.warn('rate.limited', { requestId: request.id, by: limit.by, address: request.ip });
    throw new SallyportError('ERR_RATE_LIMITED', 'Too many requests; wait before the next.', {
      retryAfterMs: state.ttl,
    });
  };
}
