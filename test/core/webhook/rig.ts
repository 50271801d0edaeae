import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Outbound } from '../../../src/core/audit/types.ts';
import type { LogEvent } from '../../../src/core/log.ts';
import type { WebhookMessage, Webhooks, WebhooksInput } from '../../../src/core/webhook/types.ts';
import { createWebhooks } from '../../../src/core/webhook/webhooks.ts';
import { createOutbound } from '../../../src/outbound.ts';

/** Answers the request of that number, from 0 on. */
export type Answer = (asked: { count: number; response: ServerResponse; request: IncomingMessage }) => void;

/** One request that the receiver read whole. */
export interface Received {
  readonly id: string;
  readonly path: string;
  readonly body: unknown;
  readonly isSigned: boolean;
}

/** A real HTTP server; `until` resolves once so many requests came. */
export async function openReceiver(t: TestContext, answer: Answer) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
      const wanted = createHmac('sha256', 'secret').update([id, at, text].join('.')).digest('base64');
      const count = received.length;
      received.push({
        id: String(id),
        path: request.url ?? '',
        body: JSON.parse(text) as unknown,
        isSigned: signature === `v1,${wanted}`,
      });
      answer({ count, response, request });
      server.emit('received');
    });
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/T0KEN-T0KEN`,
    received,
    until: async (count: number): Promise<void> => {
      while (received.length < count) await once(server, 'received');
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What leaves the process, and tells in its errors what it should not. */
export const talkative: Outbound['post'] = async ({ url, id, body, timeoutMs }) => {
  const response = await fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'webhook-id': id, connection: 'close' },
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
};

/** Webhooks over real sockets, with everything they say. */
export function openWebhooks(t: TestContext, urls: readonly string[], patch: Partial<WebhooksInput> = {}) {
  const logged: { level: string; event: LogEvent; fields: Record<string, unknown> }[] = [];
  const counted: string[] = [];
  const steps = { changed: Promise.withResolvers<void>() };
  const changed = () => {
    steps.changed.resolve();
    steps.changed = Promise.withResolvers();
  };
  const at =
    (level: string) =>
    (event: LogEvent, fields: Record<string, unknown> = {}): void => {
      logged.push({ level, event, fields });
      changed();
    };
  const webhooks: Webhooks = createWebhooks({
    outbound: createOutbound(),
    urls: () => urls,
    secret: 'whsec_c2VjcmV0',
    timeoutMs: () => 2000,
    clock: { now: Date.now, monotonic: () => performance.now() },
    recorder: {
      count: (_name, labels) => void counted.push(Object.values(labels).join(' ')),
      gauge: () => undefined,
      observe: () => undefined,
    },
    log: { info: at('info'), warn: at('warn'), error: at('error') },
    retry: { firstMs: 2, longestMs: 8, untilMs: 60_000 },
    ...patch,
  });
  t.after(() => webhooks.close());
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await steps.changed.promise;
  };
  return { webhooks, logged, counted, until };
}

/** A message with a number. */
export function message(n = 1): WebhookMessage {
  return {
    id: `approval_requested_run-${n}`,
    type: 'approval.requested',
    timestamp: '2026-11-22T10:00:00.000Z',
    data: { runId: `run-${n}` },
  };
}
