import type { ServerResponse } from 'node:http';
import fp from 'fastify-plugin';
import { SallyportError } from '../src/core/errors.ts';
import type { EventBus, GatewayEvent } from '../src/core/events/bus.ts';
import { eventFrame, eventStreamHeaders, KEEP_ALIVE_MS } from '../src/core/events/event-stream.ts';
import type { Recorder } from '../src/core/metrics/table.ts';

export interface EventsOptions {
  readonly bus: EventBus;
  readonly maxStreams: () => number;
  readonly recorder: Recorder;
}

/** Unread bytes at which a reader is dropped; it can come back with Last-Event-ID. */
const MAX_UNREAD_BYTES = 65_536;

/** Health and tool state changes as Server-Sent Events (WHATWG HTML section 9.2), resumable with Last-Event-ID. */
export default fp<EventsOptions>(
  async (app, { bus, maxStreams, recorder }) => {
    const open = new Set<ServerResponse>();
    app.addHook('preClose', async () => {
      for (const stream of open) stream.end();
    });

    app.get(
      '/v1/events',
      // No HEAD route: it would open a stream that nobody can read.
      { exposeHeadRoute: false, schema: { tags: ['operations'], summary: 'Health and tool state changes, live.' } },
      async (request, reply) => {
        const after = lastEventId(request.headers['last-event-id']);
        if (open.size >= maxStreams()) {
          throw new SallyportError('ERR_OVERLOADED', 'All event streams are taken (eventStreams).', {
            retryAfterMs: KEEP_ALIVE_MS,
          });
        }
        const stream = reply.raw;
        reply.hijack();
        stream.writeHead(200, eventStreamHeaders(reply.getHeaders()));
        open.add(stream);
        recorder.gauge('sallyport_event_streams', {}, open.size);
        const send = (text: string) => {
          // A reader that never reads must not fill our memory.
          if (stream.writableLength > MAX_UNREAD_BYTES) stream.destroy();
          else stream.write(text);
        };
        send(': open\n\n');
        for (const event of after === undefined ? [] : bus.since(after)) send(frame(event));
        const stop = bus.subscribe((event) => send(frame(event)));
        const keepAlive = setInterval(() => send(': keep-alive\n\n'), KEEP_ALIVE_MS).unref();
        stream.once('close', () => {
          stop();
          clearInterval(keepAlive);
          open.delete(stream);
          recorder.gauge('sallyport_event_streams', {}, open.size);
        });
      },
    );
  },
  { name: 'events', dependencies: ['auth', 'principal-limit'] },
);

function frame({ id, type, at, data }: GatewayEvent): string {
  return eventFrame({ id, type, data: { at, ...data } });
}

function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  const text = Array.isArray(header) ? '' : header;
  if (!/^\d{1,15}$/.test(text))
    throw new SallyportError('ERR_INPUT_INVALID', 'Last-Event-ID must be an id of this stream.');
  return Number(text);
}
