import {
  isInitializeRequest,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/sdk/types.js';
import type { Answers } from '../answers.ts';
import { headerOf, type McpExchange, type McpReply, rpcReply } from '../exchange.ts';
import { idOf, methodOf, RPC } from '../json-rpc.ts';
import { openEventStream } from './event-stream.ts';
import { createLegacyServer } from './legacy-server.ts';
import { type Session, Sessions, type SessionsOptions } from './sessions.ts';

/** Serves the protocol revisions up to 2025-11-25: sessions over Streamable HTTP. */
export interface LegacyLeg {
  /** A reply to send, or undefined when the exchange was taken and is answered as a stream. */
  serve(exchange: McpExchange): Promise<McpReply | undefined>;
  counts(): { readonly sessions: number; readonly inFlight: number; readonly streams: number };
  close(): Promise<void>;
}

export interface LegacyLegOptions extends Omit<SessionsOptions, 'createServer'> {
  readonly answers: Answers;
}

/** The leg over the given answers. */
export function createLegacyLeg(options: LegacyLegOptions): LegacyLeg {
  const { answers, log } = options;
  const sessions = new Sessions({ ...options, createServer: () => createLegacyServer(answers) });
  const stopListening = answers.onToolsChanged(() => {
    // A session that closes at this moment must not turn a notification into an unhandled rejection.
    for (const { server, transport } of sessions.all())
      if (transport.hasStandalone) server.sendToolListChanged().catch(() => undefined);
  });
  const refuse = (exchange: McpExchange, reason: string, reply: McpReply): McpReply => {
    log.warn('mcp.refused', { era: 'legacy', reason, requestId: exchange.caller.requestId });
    return reply;
  };
  return {
    serve: async (exchange) => {
      if (isOpening(exchange)) return openSession(exchange, sessions);
      const found = findSession(exchange, sessions);
      if (!('transport' in found)) return refuse(exchange, 'session', found);
      const fault = versionFault(exchange, found.transport.protocolVersion);
      if (fault !== undefined) return refuse(exchange, 'version', fault);
      if (exchange.httpMethod === 'DELETE') {
        await sessions.close(found, 'deleted');
        return { status: 204 };
      }
      const reply = exchange.httpMethod === 'GET' ? openStandalone(exchange, found) : post(exchange, found, sessions);
      return reply === undefined || reply.status < 400 ? reply : refuse(exchange, 'message', reply);
    },
    counts: () => {
      const all = [...sessions.all()].map(({ transport }) => transport);
      return {
        sessions: all.length,
        inFlight: all.reduce((sum, transport) => sum + transport.inFlight, 0),
        streams: all.filter((transport) => transport.hasStandalone).length,
      };
    },
    close: async () => {
      stopListening();
      await sessions.closeAll();
    },
  };
}

/** An `initialize` outside of any session. */
function isOpening(exchange: McpExchange): boolean {
  return methodOf(exchange.body) === 'initialize' && headerOf(exchange, 'mcp-session-id') === undefined;
}

async function openSession(exchange: McpExchange, sessions: Sessions): Promise<McpReply | undefined> {
  const { body } = exchange;
  if (!isJSONRPCRequest(body) || !isInitializeRequest(body))
    return rpcReply(400, 'The initialize request is not valid.', { id: idOf(body), code: RPC.invalidParams });
  const fault = versionFault(exchange, undefined);
  if (fault !== undefined) return fault;
  const { transport, id } = await sessions.open(exchange.caller.principal, exchange.caller.requestId);
  const stream = openEventStream(exchange.take(), { 'mcp-session-id': id });
  transport.request(body, stream, exchange.caller);
  return undefined;
}

function findSession(exchange: McpExchange, sessions: Sessions): Session | McpReply {
  const id = idOf(exchange.body);
  const sessionId = headerOf(exchange, 'mcp-session-id');
  if (sessionId === undefined)
    return rpcReply(400, 'The Mcp-Session-Id header is missing; begin with initialize.', { id });
  const session = sessions.find(sessionId, exchange.caller.principal);
  return session ?? rpcReply(404, 'There is no such session; begin with initialize.', { id });
}

/** Trap: the SDK takes any version that it knows, even one that contradicts what the session negotiated. */
function versionFault(exchange: McpExchange, negotiated: string | undefined): McpReply | undefined {
  const header = exchange.raw.headers['mcp-protocol-version'];
  if (header === undefined) return undefined;
  const isRight =
    typeof header === 'string' &&
    (negotiated === undefined ? SUPPORTED_PROTOCOL_VERSIONS.includes(header) : header === negotiated);
  if (isRight) return undefined;
  return rpcReply(400, 'The MCP-Protocol-Version header contradicts the session.', { id: idOf(exchange.body) });
}

/** The session's own stream. There is no event store: a Last-Event-ID, ours or not, replays nothing. */
function openStandalone(exchange: McpExchange, { id, transport }: Session): McpReply | undefined {
  if (transport.hasStandalone) return rpcReply(409, 'The session has a stream already.');
  transport.attach(openEventStream(exchange.take(), { 'mcp-session-id': id }));
  return undefined;
}

function post(exchange: McpExchange, session: Session, sessions: Sessions): McpReply | undefined {
  const { body, caller } = exchange;
  const { transport } = session;
  if (isJSONRPCNotification(body)) {
    transport.notify(body, caller);
    return { status: 202 };
  }
  const id = idOf(body);
  if (isJSONRPCResultResponse(body) || isJSONRPCErrorResponse(body))
    return transport.answer(body, caller)
      ? { status: 202 }
      : rpcReply(400, 'Nothing is asked under this id now.', { id });
  if (!isJSONRPCRequest(body)) return rpcReply(400, 'The body is neither a request nor a notification.', { id });
  if (body.method === 'initialize') return rpcReply(400, 'The session is initialized already.', { id });
  if (!sessions.isFresh(session)) return rpcReply(404, 'The session is over; begin with initialize.', { id });
  // Two requests in flight under one id would swap or lose their answers.
  if (transport.isTaken(body.id))
    return rpcReply(400, 'A request with this id is in flight.', { id, code: RPC.invalidRequest });
  const stream = openEventStream(exchange.take(), { 'mcp-session-id': session.id });
  transport.request(body, stream, caller);
  return undefined;
}
