import { setTimeout as delay } from 'node:timers/promises';
import { RUN_EVENT_TYPES, RUN_STATES, type RunEventType, type RunState } from '../../schemas/run-record.ts';
import { isFinal } from '../core/run/states.ts';
import type { GatewayReply } from './client.ts';
import { readEvents, type ServerEvent } from './event-stream.ts';
import { runPath, type Session } from './session.ts';

/** One event of a run. */
export interface FollowedEvent {
  readonly id?: string;
  readonly type: RunEventType;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What following a run needs. */
export interface FollowRequest {
  readonly runId: string;
  /** Aborted: leaves; the run goes on. */
  readonly signal?: AbortSignal;
  readonly onEvent: (event: FollowedEvent) => void;
  /** The connection was lost and is tried again. */
  readonly onLost?: (reason: string) => void;
  /** Waits before each attempt to connect again, milliseconds; a new event with an id begins them anew. */
  readonly waitsMs?: readonly number[];
}

/** How following ended: with the run, or with the answer that made it impossible. */
export type FollowEnd =
  | { readonly kind: 'ended'; readonly state: RunState }
  | { readonly kind: 'failed'; readonly reply: GatewayReply };

/** About half a minute in all: a gateway that restarts is back by then. */
const WAITS_MS = [250, 500, 1000, 2000, 4000, 5000, 5000, 5000, 5000, 5000];
/** A refusal that may pass: too many streams, too many questions, a gateway that ends or begins. */
const PASSING = [429, 500, 502, 503, 504];

/**
 * Follows a run until it has ended. A lost connection is taken up where it broke off (Last-Event-ID), so that no state
 * and no finding is missed or told twice; after the last of `waitsMs` without anything new it fails.
 */
export async function followRun(session: Session, request: FollowRequest): Promise<FollowEnd> {
  const { signal, waitsMs = WAITS_MS } = request;
  const position: Position = { lastId: undefined, isNew: false };
  for (let attempt = 0; ; attempt += 1) {
    position.isNew = false;
    const part = await followOnce(session, request, position);
    if (part.kind !== 'lost') return part;
    if (position.isNew) attempt = 0;
    const waitMs = waitsMs[attempt];
    if (waitMs === undefined) return { kind: 'failed', reply: part.reply };
    request.onLost?.(reasonOf(part.reply));
    await delay(waitMs, undefined, { ...(signal && { signal }) }).catch(() => undefined);
    if (signal?.aborted) return CANCELLED;
  }
}

const CANCELLED: FollowEnd = { kind: 'failed', reply: { kind: 'cancelled' } };

interface Position {
  lastId: string | undefined;
  /** Something with an id came over this connection that had not come before. */
  isNew: boolean;
}

type Part = FollowEnd | { readonly kind: 'lost'; readonly reply: GatewayReply };

async function followOnce(session: Session, request: FollowRequest, position: Position): Promise<Part> {
  // Leaving ends the connection too, whatever the gateway still wants to say.
  const leave = new AbortController();
  const { lastId } = position;
  const opened = await session.open({
    method: 'GET',
    path: runPath(request.runId, '/events'),
    headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) },
    signal: request.signal === undefined ? leave.signal : AbortSignal.any([request.signal, leave.signal]),
  });
  if (opened.kind === 'cancelled') return CANCELLED;
  if (opened.kind !== 'stream') {
    const isPassing = opened.kind === 'unreachable' || PASSING.includes(opened.status);
    return { kind: isPassing ? 'lost' : 'failed', reply: opened };
  }
  try {
    for await (const event of readEvents(opened.body)) {
      const state = take(event, request, position);
      if (state !== undefined && isFinal(state)) return { kind: 'ended', state };
    }
    return lost('the stream ended before the run');
  } catch (thrown) {
    if (request.signal?.aborted) return CANCELLED;
    return lost(thrown instanceof Error ? thrown.message : String(thrown));
  } finally {
    leave.abort();
  }
}

function lost(reason: string): Part {
  return { kind: 'lost', reply: { kind: 'unreachable', reason } };
}

/** Hands one event on; the state that it tells, if it tells one. What is not of this interface is passed over. */
function take(event: ServerEvent, request: FollowRequest, position: Position): RunState | undefined {
  const type = RUN_EVENT_TYPES.find((each) => each === event.type);
  const data = parseObject(event.data);
  if (type === undefined || data === undefined) return undefined;
  if (event.id !== undefined) {
    if (event.id === position.lastId) return undefined;
    position.lastId = event.id;
    position.isNew = true;
  }
  request.onEvent({ ...(event.id === undefined ? {} : { id: event.id }), type, data });
  return type === 'state' ? RUN_STATES.find((each) => each === data['state']) : undefined;
}

function reasonOf(reply: GatewayReply): string {
  if (reply.kind === 'answer') return `HTTP ${reply.status}`;
  return reply.kind === 'unreachable' ? reply.reason : reply.kind;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed = JSON.parse(text) as unknown;
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // an event of another interface
  }
}
