import { within } from '../within.ts';
import { createLane, type Delivery, type Lane } from './lane.ts';
import type { Retry, WebhookMessage, Webhooks, WebhooksInput } from './types.ts';

const RETRY: Retry = { firstMs: 1000, longestMs: 300_000, untilMs: 3_600_000 };
/** Time that a stopping gateway gives what is being delivered, milliseconds. */
const CLOSE_MS = 1000;

/**
 * Delivers messages to every URL, signed as Standard Webhooks v1, and tries again for an hour with growing, uneven
 * pauses. A message may come twice and in another order; what waits when the process ends is forgotten.
 */
export function createWebhooks(input: WebhooksInput): Webhooks {
  const lanes = new Map<string, Lane>();
  const going = new Set<Promise<void>>();
  let isClosed = false;
  const desk: Desk = {
    ...input,
    advance: (url) => {
      const lane = lanes.get(url);
      if (isClosed || lane === undefined) return;
      for (let next = lane.begin(); next !== undefined; next = lane.begin()) {
        const attempt = attemptOf(desk, { url, lane, delivery: next }).finally(() => {
          going.delete(attempt);
          desk.advance(url);
        });
        going.add(attempt);
      }
      if (lane.size === 0) lanes.delete(url);
    },
  };
  return {
    tell: (message) => {
      if (isClosed) return;
      for (const url of new Set(input.urls())) {
        const lane = lanes.get(url) ?? createLane();
        lanes.set(url, lane);
        const dropped = lane.add({ message, firstAt: input.clock.monotonic(), failures: 0 });
        if (dropped !== undefined) lose(desk, { url, lane, delivery: dropped }, 'too many messages wait for this URL');
        desk.advance(url);
      }
    },
    waiting: () => [...lanes.values()].reduce((sum, { size }) => sum + size, 0),
    close: async () => {
      isClosed = true;
      for (const lane of lanes.values()) lane.clear();
      await within(Promise.allSettled(going), CLOSE_MS);
    },
  };
}

type Desk = WebhooksInput & {
  /** Begins as many attempts for a URL as there is room for. */
  readonly advance: (url: string) => void;
};

interface Attempt {
  readonly url: string;
  readonly lane: Lane;
  readonly delivery: Delivery;
}

/** One attempt and what follows from it. Never rejects. */
async function attemptOf(desk: Desk, attempt: Attempt): Promise<void> {
  const { url, lane, delivery } = attempt;
  const { id, type, timestamp, data } = delivery.message;
  try {
    // Attack: a receiver that the operator has taken out goes on hearing what is planned.
    if (!desk.urls().includes(url)) {
      lane.end(delivery, false);
      return lose(desk, attempt, 'the URL is no longer configured');
    }
    await desk.outbound.post({
      url,
      id,
      body: { type, timestamp, data },
      ...(desk.secret === undefined ? {} : { secret: desk.secret }),
      timeoutMs: desk.timeoutMs(),
    });
    lane.end(delivery, false);
    report(desk, delivery.message, 'sent');
    desk.log.info('webhook.sent', { url: placeOf(url), id, attempts: delivery.failures + 1 });
  } catch (thrown) {
    again(desk, attempt, reasonOf(thrown, url));
  }
}

function again(desk: Desk, attempt: Attempt, reason: string): void {
  const { url, lane, delivery } = attempt;
  const delayMs = delayOf(desk, delivery);
  delivery.failures += 1;
  const { untilMs } = desk.retry ?? RETRY;
  const isLast = desk.clock.monotonic() + delayMs - delivery.firstAt > untilMs;
  lane.end(delivery, !isLast);
  if (isLast) return lose(desk, attempt, reason);
  report(desk, delivery.message, 'retried');
  desk.log.warn('webhook.failed', { url: placeOf(url), id: delivery.message.id, reason, retryAfterMs: delayMs });
  delivery.timer = setTimeout(() => {
    lane.retry(delivery);
    desk.advance(url);
  }, delayMs).unref();
}

/** Uneven, so that all gateways do not come back to a recovering receiver at the same moment. */
function delayOf({ retry = RETRY, random = Math.random }: Desk, { failures }: Delivery): number {
  const full = Math.min(retry.longestMs, retry.firstMs * 2 ** Math.min(failures, 30));
  return Math.round(full * (0.5 + random() / 2));
}

function lose(desk: Desk, { url, delivery }: Attempt, reason: string): void {
  report(desk, delivery.message, 'lost');
  desk.log.error('webhook.failed', {
    url: placeOf(url),
    id: delivery.message.id,
    reason,
    attempts: delivery.failures,
  });
}

function report({ recorder }: Desk, { type }: WebhookMessage, result: 'sent' | 'retried' | 'lost'): void {
  recorder.count('sallyport_webhook_deliveries_total', { kind: type, result });
}

/** Attack: the token of a chat system's webhook stands in its path, and logs are read by many. */
function placeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : 'an address that is none';
}

function reasonOf(thrown: unknown, url: string): string {
  const text = (thrown instanceof Error ? thrown.message : String(thrown)).replaceAll(url, placeOf(url));
  if (!URL.canParse(url)) return text;
  const { href, origin, pathname, search } = new URL(url);
  const secrets = [`${pathname}${search}`, pathname, search].filter((part) => part.length > 1);
  return secrets.reduce((plain, part) => plain.replaceAll(part, '…'), text.replaceAll(href, origin));
}
