import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayReply } from './client.ts';
import type { Session } from './session.ts';

/** A list that the gateway gives in pages. */
export interface PagedList<T> {
  readonly path: string;
  readonly query: URLSearchParams;
  /** The property of the answer that holds the items. */
  readonly name: string;
  readonly isItem: (value: unknown) => value is T;
}

/** One page, with the whole answer beside its items. */
export interface ReadPage<T> {
  readonly kind: 'page';
  readonly items: readonly T[];
  readonly body: Readonly<Record<string, unknown>>;
}

/** The largest page of a list. */
export const PAGE = '200';
/** A comparison of large runs is made while the caller waits. */
const PAGE_MS = 60_000;

/**
 * Reads a list page by page until it ends, the caller stops, or something else than a page comes, which is the last
 * thing yielded. A cursor that leads nowhere new ends it as well: a page must never be read for ever.
 */
export async function* readPages<T>(session: Session, list: PagedList<T>): AsyncGenerator<ReadPage<T> | GatewayReply> {
  const query = new URLSearchParams(list.query);
  const seen = new Set<string>();
  for (;;) {
    const reply = await askPatiently(session, `${list.path}?${query.toString()}`);
    const page = pageOf(reply, list);
    yield page ?? reply;
    const next = page?.body['nextCursor'];
    if (page === undefined || next === undefined) return;
    if (typeof next !== 'string' || seen.has(next)) {
      yield { kind: 'unreachable', reason: 'it answered with a page that leads nowhere' };
      return;
    }
    seen.add(next);
    query.set('cursor', next);
  }
}

/** More often than this no minute of a rate limit is waited for. */
const MAX_WAITS = 5;
const MAX_WAIT_MS = 61_000;

/** Asks for one part of something long. Many parts may be too many questions for a minute: then it is waited for the next. */
export async function askPatiently(session: Session, path: string): Promise<GatewayReply> {
  for (let waits = 0; ; waits += 1) {
    const reply = await session.ask({ method: 'GET', path, timeoutMs: PAGE_MS });
    const waitMs = reply.kind === 'answer' && reply.status === 429 ? waitOf(reply.body) : undefined;
    if (waitMs === undefined || waits >= MAX_WAITS) return reply;
    await delay(waitMs, undefined, { signal: session.signal }).catch(() => undefined);
    if (session.signal.aborted) return { kind: 'cancelled' };
  }
}

function waitOf(body: unknown): number | undefined {
  const waitMs: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'retryAfterMs') : undefined;
  return typeof waitMs === 'number' && waitMs >= 0 && waitMs <= MAX_WAIT_MS ? waitMs : undefined;
}

function pageOf<T>(reply: GatewayReply, { name, isItem }: PagedList<T>): ReadPage<T> | undefined {
  if (reply.kind !== 'answer' || reply.status !== 200) return undefined;
  if (typeof reply.body !== 'object' || reply.body === null) return undefined;
  const body = reply.body as Record<string, unknown>;
  const items = body[name];
  return Array.isArray(items) && items.every(isItem) ? { kind: 'page', items, body } : undefined;
}
