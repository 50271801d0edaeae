import type { Outbound } from '../audit/types.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Recorder } from '../metrics/table.ts';

/** One message for the operator's webhooks. The same `id` is the same message: receivers drop what they have. */
export interface WebhookMessage {
  /** Without a dot: it is joined with others by dots before it is signed (Standard Webhooks). */
  readonly id: string;
  /** One of a closed set. */
  readonly type: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Masked. */
  readonly data: unknown;
}

/** Tells people who are not looking. */
export interface Webhooks {
  /** Hands a message over to every URL. Never waits and never throws. */
  tell(message: WebhookMessage): void;
  /** Deliveries that wait or go on. */
  readonly waiting: () => number;
  /** Nothing is begun any more, and what goes on is awaited for a moment. What waits is forgotten. */
  close(): Promise<void>;
}

/** What webhooks are made with. */
export interface WebhooksInput {
  readonly outbound: Pick<Outbound, 'post'>;
  /** Asked for each message and before each attempt. */
  readonly urls: () => readonly string[];
  /** Signs every message. */
  readonly secret: string | undefined;
  readonly timeoutMs: () => number;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly retry?: Retry;
  /** 0 to 1; default Math.random. */
  readonly random?: () => number;
}

/** When a failed delivery is tried again. */
export interface Retry {
  /** Before the second attempt; doubled for each later one. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** From the first attempt on. */
  readonly untilMs: number;
}
