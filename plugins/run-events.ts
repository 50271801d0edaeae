import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { SallyportError } from '../src/core/errors.ts';
import { eventStreamHeaders, pumpEvents } from '../src/core/events/event-stream.ts';
import { createStreamPlaces, type StreamLimits } from '../src/core/events/stream-places.ts';
import type { Log } from '../src/core/log.ts';
import type { Recorder } from '../src/core/metrics/table.ts';
import { runCallOf } from '../src/core/rest/run-request.ts';
import type { RunEvent, RunHistory } from '../src/core/run/types.ts';

export interface RunEventsOptions {
  readonly history: Pick<RunHistory, 'follow'>;
  /** Read at each opening so that a reload applies. */
  readonly limits: () => StreamLimits;
  readonly recorder: Recorder;
  readonly log: Log;
}

interface OfRun {
  Params: { id: string };
}

/** One run as Server-Sent Events (WHATWG HTML section 9.2): what was, then live; resumable with Last-Event-ID. */
export default fp<RunEventsOptions>(
  async (app, { history, limits, recorder, log }) => {
    const places = createStreamPlaces(limits, (taken) => recorder.gauge('sallyport_run_event_streams', {}, taken));
    const open = new Map<AbortController, FastifyReply>();
    app.addHook('preClose', async () => {
      for (const [leaving, { raw }] of open) {
        leaving.abort();
        // What nobody reads can never be ended in order, and would keep the server from closing.
        if (raw.writableNeedDrain) raw.destroy();
      }
    });

    app.get<OfRun>(
      '/v1/runs/:id/events',
      // No HEAD route: it would open a stream that nobody can read.
      { exposeHeadRoute: false, schema: { tags: ['runs'], summary: 'What happens in one run, live, to its end.' } },
      async (request, reply) => {
        const [who, runId] = runCallOf(request);
        const lastEventId = lastEventIdOf(request.headers['last-event-id']);
        const leaving = leavingOf(request);
        const giveBack = places.take(who.id);
        open.set(leaving, reply);
        try {
          const events = await history.follow(who, runId, { lastEventId, signal: leaving.signal });
          await stream(reply, events);
        } catch (thrown) {
          // Before the first byte it is an answer as any other; after it, a broken stream is what makes a reader resume.
          if (!reply.sent) throw thrown;
          if (leaving.signal.aborted) return void reply.raw.end();
          log.error('request.failed', { requestId: request.id, cause: thrown });
          reply.raw.destroy();
        } finally {
          leaving.abort();
          open.delete(leaving);
          giveBack();
        }
      },
    );
  },
  { name: 'run-events', dependencies: ['auth', 'principal-limit'] },
);

async function stream(reply: FastifyReply, events: AsyncIterable<RunEvent>): Promise<void> {
  reply.hijack();
  reply.raw.writeHead(200, { ...eventStreamHeaders(reply.getHeaders()), connection: 'close' });
  // At once: a run that waits in the queue may have nothing to tell for long.
  reply.raw.write(': open\n\n');
  await pumpEvents(events, { sink: reply.raw });
  reply.raw.end();
}

/** Aborts when the client leaves or the server closes, whichever is first. */
function leavingOf({ disconnected }: FastifyRequest): AbortController {
  const leaving = new AbortController();
  if (disconnected.aborted) leaving.abort();
  disconnected.addEventListener('abort', () => leaving.abort(), { once: true });
  return leaving;
}

function lastEventIdOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[!-~]{1,512}$/.test(header)) return header;
  throw new SallyportError('ERR_INPUT_INVALID', 'Last-Event-ID must be an id of this stream.', {
    details: { header: 'Last-Event-ID' },
  });
}
