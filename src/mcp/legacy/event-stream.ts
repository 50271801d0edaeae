import type { ServerResponse } from 'node:http';
import { whenClosed } from '../exchange.ts';

const KEEP_ALIVE_MS = 15_000;

/** One Server-Sent Events response that carries JSON-RPC messages (MCP 2025-11-25, Streamable HTTP). */
export interface EventStream {
  /** False when the client is gone. */
  readonly isOpen: boolean;
  /** True while earlier bytes wait for the reader, or when it is gone. */
  readonly isSlow: boolean;
  send(message: object): void;
  end(): void;
  onClose(listener: () => void): void;
}

/** Starts the response. Never throws, and no error of the socket escapes it. */
export function openEventStream(response: ServerResponse, headers: Readonly<Record<string, string>>): EventStream {
  const isOpen = () => !response.destroyed && !response.writableEnded;
  // An unhandled 'error' event of a reset connection would end the process.
  response.on('error', () => undefined);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    ...headers,
  });
  response.flushHeaders();
  const timer = setInterval(() => {
    if (isOpen() && !response.writableNeedDrain) response.write(': keepalive\n\n');
  }, KEEP_ALIVE_MS).unref();
  whenClosed(response, () => clearInterval(timer));
  return {
    get isOpen() {
      return isOpen();
    },
    get isSlow() {
      return !isOpen() || response.writableNeedDrain;
    },
    send: (message) => {
      if (isOpen()) response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
    },
    end: () => {
      clearInterval(timer);
      if (isOpen()) response.end();
    },
    onClose: (listener) => whenClosed(response, listener),
  };
}
