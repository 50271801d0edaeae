import underPressure from '@fastify/under-pressure';
import fp from 'fastify-plugin';
import { SallyportError } from '../src/core/errors.ts';

export interface OverloadOptions {
  /** Event-loop delay in milliseconds above which new work is refused. */
  readonly maxEventLoopLagMs: number;
}

const RETRY_AFTER_MS = 2000;

/** Refuses new work while the event loop lags, so that running scans and the probes stay served. */
export default fp<OverloadOptions>(
  async (app, { maxEventLoopLagMs }) => {
    await app.register(underPressure, {
      maxEventLoopDelay: maxEventLoopLagMs,
      pressureHandler: (request) => {
        // Operators must see what is going on exactly when it is going wrong.
        const url = request.routeOptions.url ?? '';
        if (url.startsWith('/health') || url === '/metrics') return;
        throw new SallyportError('ERR_OVERLOADED', 'The gateway is overloaded; try again.', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      },
    });
  },
  { name: 'overload', dependencies: ['errors'] },
);
