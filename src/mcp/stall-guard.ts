import type { ServerResponse } from 'node:http';
import { whenClosed } from './exchange.ts';

/** How long a client may leave our bytes unread before it counts as gone, milliseconds. */
export const STALL_MS = 120_000;

/**
 * Destroys a response whose reader takes nothing for the whole time. A client that opens streams and never reads
 * them would otherwise hold their buffers for ever (slow-read denial of service).
 */
export function guardAgainstStall(response: ServerResponse, stallMs: number): void {
  let unread = 0;
  let waited = false;
  const timer = setInterval(() => {
    const now = response.writableLength;
    if (now > 0 && waited && now >= unread) response.destroy();
    waited = now > 0;
    unread = now;
  }, stallMs / 2).unref();
  whenClosed(response, () => clearInterval(timer));
}
