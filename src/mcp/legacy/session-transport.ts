import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js';
import type {
  JSONRPCErrorResponse,
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResultResponse,
} from '@modelcontextprotocol/sdk/types.js';
import type { Caller } from '../exchange.ts';
import { isRecord, type RpcId, RPC } from '../json-rpc.ts';
import type { EventStream } from './event-stream.ts';

interface InFlight {
  readonly clientId: RpcId;
  readonly stream: EventStream;
  /** The stream of an `initialize`: its answer carries the negotiated version. */
  readonly isHandshake: boolean;
}

/**
 * The transport of one session of the older era, for one `Server`. Request ids are replaced by our own numbers, so
 * that an answer can only go to the response of the request that it belongs to (trap: two requests with one id, and
 * the SDK's own map ignores a cancellation of id 0).
 */
export class SessionTransport implements Transport {
  readonly sessionId: string;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<Transport['onmessage']>;
  /** Called when something ended that kept the session busy: a request was answered, its own stream closed. */
  onsettled?: () => void;
  /** Undefined until the handshake was answered. */
  protocolVersion: string | undefined;
  #closed = false;
  #nextId = 1;
  #standalone: EventStream | undefined;
  readonly #inFlight = new Map<number, InFlight>();
  readonly #byClientId = new Map<RpcId, number>();
  /** What we asked the client and wait for. */
  readonly #asked = new Set<RpcId>();

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  /** Requests that wait for their answer. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** True while the session's own stream (GET) is open. */
  get hasStandalone(): boolean {
    return this.#standalone !== undefined;
  }

  async start(): Promise<void> {}

  /** True while a request of the client with this id waits for its answer. */
  isTaken(clientId: RpcId): boolean {
    return this.#byClientId.has(clientId);
  }

  /** Hands a request to the server; its answer ends the stream. A stream that the client closes does not end it. */
  request(message: JSONRPCRequest, stream: EventStream, caller: Caller): void {
    const id = this.#nextId++;
    this.#inFlight.set(id, { clientId: message.id, stream, isHandshake: message.method === 'initialize' });
    this.#byClientId.set(message.id, id);
    this.onmessage?.({ ...withoutTask(message), id }, { authInfo: authInfoOf(caller) });
  }

  /** Hands a notification to the server. A cancelled request gets no answer, so its stream ends here. */
  notify(message: JSONRPCNotification, caller: Caller): void {
    if (message.method !== 'notifications/cancelled') {
      this.onmessage?.(message, { authInfo: authInfoOf(caller) });
      return;
    }
    const clientId = isRecord(message.params) ? message.params['requestId'] : undefined;
    const id =
      typeof clientId === 'string' || typeof clientId === 'number' ? this.#byClientId.get(clientId) : undefined;
    const target = id === undefined ? undefined : this.#inFlight.get(id);
    // A late cancellation is normal; the handshake cannot be cancelled (MCP 2025-11-25, Cancellation).
    if (id === undefined || target === undefined || target.isHandshake) return;
    this.onmessage?.({ ...message, params: { ...message.params, requestId: id } }, { authInfo: authInfoOf(caller) });
    this.#release(id);
    target.stream.end();
  }

  /** Hands an answer of the client to the server; false when nothing is asked under its id now. */
  answer(message: JSONRPCResultResponse | JSONRPCErrorResponse, caller: Caller): boolean {
    const { id } = message;
    // The SDK turns any id into a number: "1", [1] and true would all be an answer to the question 1.
    if (id === undefined || !this.#asked.delete(id)) return false;
    this.onmessage?.(message, { authInfo: authInfoOf(caller) });
    return true;
  }

  /** Takes the session's own stream; false when there is one already. */
  attach(stream: EventStream): boolean {
    if (this.#standalone !== undefined || this.#closed) return false;
    this.#standalone = stream;
    stream.onClose(() => {
      this.#standalone = undefined;
      this.onsettled?.();
    });
    return true;
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (this.#closed) return;
    if ('method' in message) {
      const related = options?.relatedRequestId;
      const stream = related === undefined ? this.#standalone : this.#inFlight.get(Number(related))?.stream;
      if ('id' in message) return this.#askOn(stream, message);
      if (message.method === 'notifications/cancelled') this.#takeBack(message);
      // Notifications may be left out; a reader that takes nothing must not make us keep them.
      if (stream !== undefined && !stream.isSlow) stream.send(message);
      return;
    }
    const found = this.#inFlight.get(Number(message.id));
    if (found === undefined) return;
    this.#release(Number(message.id));
    if (found.isHandshake && 'result' in message) this.protocolVersion = String(message.result['protocolVersion']);
    found.stream.send({ ...message, id: found.clientId });
    found.stream.end();
  }

  /** Ends every stream; requests in flight are answered that the session is over, and their calls are aborted. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { clientId, stream } of this.#inFlight.values()) {
      stream.send({ jsonrpc: '2.0', id: clientId, error: { code: RPC.sessionEnded, message: 'The session ended.' } });
      stream.end();
    }
    this.#inFlight.clear();
    this.#byClientId.clear();
    this.#asked.clear();
    this.#standalone?.end();
    this.onclose?.();
  }

  /** A question is never kept for a client that is gone: it is answered at once, so that nobody waits for it. */
  #askOn(stream: EventStream | undefined, message: JSONRPCRequest): void {
    if (stream?.isOpen === true) {
      this.#asked.add(message.id);
      stream.send(message);
      return;
    }
    const error = { code: RPC.sessionEnded, message: 'The client is gone.' };
    queueMicrotask(() => this.onmessage?.({ jsonrpc: '2.0', id: message.id, error }));
  }

  /** What is not asked any more can no longer be answered. */
  #takeBack({ params }: JSONRPCNotification): void {
    const id = isRecord(params) ? params['requestId'] : undefined;
    if (typeof id === 'string' || typeof id === 'number') this.#asked.delete(id);
  }

  #release(id: number): void {
    const found = this.#inFlight.get(id);
    if (found === undefined) return;
    this.#inFlight.delete(id);
    this.#byClientId.delete(found.clientId);
    this.onsettled?.();
  }
}

/** Whoever does not declare tasks answers as if they were not asked for (2025-11-25, Tasks); the SDK would refuse. */
function withoutTask(message: JSONRPCRequest): JSONRPCRequest {
  if (message.params === undefined || !('task' in message.params)) return message;
  const { task: _ignored, ...params } = message.params;
  return { ...message, params };
}

/** The caller travels through the SDK as its `authInfo`; there is no token in it. */
function authInfoOf(caller: Caller) {
  return { token: '', clientId: caller.principal.id, scopes: [...caller.principal.scopes], extra: { caller } };
}
