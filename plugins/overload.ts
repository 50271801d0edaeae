import { monitorEventLoopDelay } from 'node:perf_hooks';
import fp from 'fastify-plugin';
import { SallyportError } from '../src/core/errors.ts';

export interface OverloadOptions {
  /** Event-loop delay in milliseconds above which new work is refused; read at each look. */
  readonly maxEventLoopLagMs: () => number;
}

const LOOK_MS = 1000;
const RESOLUTION_MS = 10;
const RETRY_AFTER_MS = 2000;

/**
 * Refuses new work while the event loop lags, so that running scans and the probes stay served.
 * Measured here and not by @fastify/under-pressure: its timer reads the memory use, and that throws out of the timer
 * and ends the process when a client has used up the descriptors.
 */
export default fp<OverloadOptions>(
  async (app, { maxEventLoopLagMs }) => {
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delay.enable();
    let isLagging = false;
    const look = setInterval(() => {
      isLagging = delay.count > 0 && delay.mean / 1e6 - RESOLUTION_MS > maxEventLoopLagMs();
      delay.reset();
    }, LOOK_MS).unref();
    app.addHook('onClose', async () => {
      clearInterval(look);
      delay.disable();
    });
    app.addHook('onRequest', async (request) => {
      // Operators must see what is going on exactly when it is going wrong.
      const url = request.routeOptions.url ?? '';
      if (!isLagging || url.startsWith('/health') || url === '/metrics') return;
      throw new SallyportError('ERR_OVERLOADED', 'The gateway is overloaded; try again.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    });
  },
  { name: 'overload', dependencies: ['errors'] },
);
