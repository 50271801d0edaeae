import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { processPlace } from '../../src/core/execution/proc.ts';

/** The lock of a data directory, held by the process of the test: the command line then takes it for the gateway. */
export function holdDataDir(dataDir: string, address: string, startTicks = processPlace(process.pid)?.startedAt): void {
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const holder = { pid: process.pid, startTicks, bootId, pidNamespace: '', nonce: 'test' };
  writeFileSync(join(dataDir, 'pid'), JSON.stringify(holder));
  writeFileSync(join(dataDir, 'address'), `${address}\n`);
}

/** A server that stands in for the gateway. Resolves to its port. */
export async function listen(
  t: TestContext,
  answer: RequestListener,
  tls?: { cert: string; key: string },
): Promise<number> {
  const server: Server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

/** The JSON body of a request. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}
