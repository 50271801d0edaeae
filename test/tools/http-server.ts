import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as a test server saw it. */
export interface Seen {
  readonly host: string;
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly authorization: string;
  /** Milliseconds of a monotonic clock. */
  readonly at: number;
}

/** An HTTP server on a free port of an address that remembers who asked for what. */
export async function httpServer(
  answer: (request: Seen, response: ServerResponse) => void,
  address = '127.0.0.1',
): Promise<{ readonly port: number; readonly seen: Seen[]; close(): Promise<void> }> {
  const seen: Seen[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { headers, method = '', url = '' } = request;
      const one: Seen = {
        host: headers.host ?? '',
        method,
        url,
        body: Buffer.concat(chunks).toString('utf8'),
        authorization: headers.authorization ?? '',
        at: performance.now(),
      };
      seen.push(one);
      answer(one, response);
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Ends an answer with a status, and a text and headers where there are any. */
export function reply(
  response: ServerResponse,
  status: number,
  { body = '', headers = {} }: { readonly body?: string; readonly headers?: Record<string, string> } = {},
): void {
  response.writeHead(status, headers);
  response.end(body);
}

/** A TCP port of loopback on which nothing listens now. */
export async function closedPort(): Promise<number> {
  const server = await httpServer(() => undefined);
  await server.close();
  return server.port;
}
