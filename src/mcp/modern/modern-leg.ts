import type { ServerResponse } from 'node:http';
import { type NodeIncomingMessageLike, type NodeServerResponseLike, toNodeHandler } from '@modelcontextprotocol/node';
import {
  type AuthInfo,
  CLIENT_CAPABILITIES_META_KEY,
  classifyInboundRequest,
  createMcpHandler,
  inputRequired,
  type McpHttpHandler,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import type { Config } from '../../../schemas/config.ts';
import { SallyportError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type Answers, progressTokenOf } from '../answers.ts';
import type { Ask, Retry } from '../confirm.ts';
import { CONFIRM, type Question } from '../confirm-question.ts';
import { type Caller, headerOf, type McpExchange, whenClosed } from '../exchange.ts';
import { isRecord, methodOf, RPC, RpcFault } from '../json-rpc.ts';
import type { ProgressNote } from '../progress.ts';
import { TOOL_LIST_TTL_MS } from '../tool-list.ts';

/** Serves the protocol revision 2026-07-28: one server per request, no sessions. */
export interface ModernLeg {
  /** Takes the exchange and answers it. Throws ERR_RATE_LIMITED or ERR_OVERLOADED before it takes it. */
  serve(exchange: McpExchange): Promise<void>;
  counts(): { readonly inFlight: number; readonly subscriptions: number };
  close(): Promise<void>;
}

export interface ModernLegOptions {
  readonly answers: Answers;
  readonly log: Log;
  /** The caps of sessions are those of open subscriptions, which are what the newer era keeps open. */
  readonly limits: () => Pick<Config['mcp'], 'maxSessions' | 'maxSessionsPerPrincipal'>;
}

const LISTEN = 'subscriptions/listen';
const CAP_RETRY_MS = 5000;

/** The leg over the given answers. */
export function createModernLeg({ answers, log, limits }: ModernLegOptions): ModernLeg {
  const onerror = (error: Error) => log.warn('mcp.refused', { era: 'modern', reason: error.message.slice(0, 200) });
  const factory = () => createModernServer(answers);
  const common = { legacy: 'reject', onerror, maxSubscriptions: Number.MAX_SAFE_INTEGER } as const;
  // A call may take an hour: it streams from its start, so that keep-alive comments reach every proxy between.
  const calls = createMcpHandler(factory, { ...common, responseMode: 'sse' });
  const others = createMcpHandler(factory, common);
  const serveCall = toNodeHandler(calls, { onerror });
  const serveOther = toNodeHandler(others, { onerror });
  const stopListening = answers.onToolsChanged(() => others.notify.toolsChanged());
  const subscribers = new Map<McpExchange, string>();
  let inFlight = 0;

  const admit = (exchange: McpExchange) => {
    const { id } = exchange.caller.principal;
    const own = [...subscribers.values()].filter((owner) => owner === id).length;
    // Streams that stay open for ever are a place each, as a session is.
    if (own >= limits().maxSessionsPerPrincipal)
      throw new SallyportError('ERR_RATE_LIMITED', 'This principal has too many open subscriptions.', {
        retryAfterMs: CAP_RETRY_MS,
      });
    if (subscribers.size >= limits().maxSessions)
      throw new SallyportError('ERR_OVERLOADED', 'There are too many open subscriptions.', {
        retryAfterMs: CAP_RETRY_MS,
      });
    subscribers.set(exchange, id);
  };
  return {
    serve: async (exchange) => {
      const method = methodOf(exchange.body);
      if (method === LISTEN) admit(exchange);
      inFlight += 1;
      const response = exchange.take();
      // An unhandled 'error' event of a reset connection would end the process.
      response.on('error', () => undefined);
      // Only 'close' comes in every case, also when the client breaks off (trap: onResponse does not).
      whenClosed(response, () => {
        inFlight -= 1;
        subscribers.delete(exchange);
      });
      const request = Object.assign(exchange.raw, { auth: authInfoOf(exchange.caller) });
      if (method === 'tools/call') await serveCall(request as NodeIncomingMessageLike, eager(response), exchange.body);
      else await serveOther(request as NodeIncomingMessageLike, response, exchange.body);
    },
    counts: () => ({ inFlight, subscriptions: subscribers.size }),
    close: async () => {
      stopListening();
      await Promise.all([calls, others].map((handler: McpHttpHandler) => handler.close()));
    },
  };
}

/** Sends the headers at once: a stream whose first event comes in an hour must not look like a dead server. */
function eager(response: ServerResponse): NodeServerResponseLike {
  return {
    writeHead: (status, headers) => response.writeHead(status, headers).flushHeaders(),
    write: (chunk) => response.write(chunk),
    end: (chunk) => response.end(chunk),
    on: (event, listener) => response.on(event, listener),
    get destroyed() {
      return response.destroyed;
    },
  };
}

/** Whether the newer era answers it: decided from the body, with the version header as a cross-check only. */
export function isModern(exchange: McpExchange): boolean {
  const version = headerOf(exchange, 'mcp-protocol-version');
  const method = headerOf(exchange, 'mcp-method');
  const route = classifyInboundRequest({
    httpMethod: exchange.httpMethod,
    ...(version === undefined ? {} : { protocolVersionHeader: version }),
    ...(method === undefined ? {} : { mcpMethodHeader: method }),
    body: exchange.body,
  });
  return route.kind !== 'legacy';
}

/**
 * One low-level server for one request; never shared (CVE-2026-25536). The name of the tool, and with it every
 * decision, is read from the body: mirrored headers are only compared with it.
 */
function createModernServer(answers: Answers): Server {
  const server = new Server(answers.serverInfo, {
    capabilities: { tools: { listChanged: true } },
    instructions: answers.instructions,
    // Private: what one key may see must not come out of a cache for another.
    cacheHints: { 'tools/list': { ttlMs: TOOL_LIST_TTL_MS, cacheScope: 'private' } },
  });
  server.setRequestHandler('tools/list', async ({ params }, context) => {
    const page = answers.listTools(params, callerOf(context));
    return { ...page, tools: [...page.tools] };
  });
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const asked: { question?: Question; state?: string } = {};
    const ask: Ask = async (question, { state }) => {
      Object.assign(asked, { question, state: state() });
      return 'later';
    };
    const channel = { ...channelOf(context), retry: retryOf(context), ask: canBeAsked(context) ? ask : undefined };
    const answer = await answers.callTool(params, channel);
    const { question, state } = asked;
    if (question === undefined || state === undefined) return { ...answer, content: [...answer.content] };
    // The run is stored and waits for people, whether this question is ever answered or not.
    return inputRequired({ inputRequests: { [CONFIRM]: inputRequired.elicit(question) }, requestState: state });
  });
  return server;
}

function channelOf(context: ServerContext) {
  const { mcpReq } = context;
  const progressToken = progressTokenOf({ _meta: mcpReq._meta });
  const onProgress = (note: ProgressNote) => {
    const sent = mcpReq.notify({
      method: 'notifications/progress',
      params: { ...note, progressToken: progressToken ?? '' },
    });
    // Progress is a courtesy: a stream that closed in between must not fail the run.
    sent.catch(() => undefined);
  };
  return {
    caller: callerOf(context),
    signal: mcpReq.signal,
    ...(progressToken === undefined ? {} : { onProgress }),
  };
}

/** Whether the client shows forms, as it says in each request. A declaration without a mode means forms. */
function canBeAsked({ mcpReq }: ServerContext): boolean {
  const envelope: Record<string, unknown> = { ...mcpReq.envelope };
  const capabilities = envelope[CLIENT_CAPABILITIES_META_KEY];
  const declared = isRecord(capabilities) ? capabilities['elicitation'] : undefined;
  return isRecord(declared) && (declared['form'] !== undefined || declared['url'] === undefined);
}

/** What came back with a call; the SDK hands the state over as the client sent it. */
function retryOf({ mcpReq }: ServerContext): Retry | undefined {
  const state: unknown = mcpReq.requestState();
  const responses: unknown = mcpReq.inputResponses;
  return state === undefined && responses === undefined ? undefined : { state, responses };
}

/** The caller travels through the SDK as its `authInfo`; there is no token in it. */
function authInfoOf(caller: Caller): AuthInfo {
  return { token: '', clientId: caller.principal.id, scopes: [...caller.principal.scopes], extra: { caller } };
}

function callerOf(context: ServerContext): Caller {
  const caller = context.http?.authInfo?.extra?.['caller'];
  // Without a caller nothing may be answered: a transport that forgot it must not mean "anybody".
  if (caller === undefined) throw new RpcFault(RPC.internal, 'The request has no caller.');
  return caller as Caller;
}
