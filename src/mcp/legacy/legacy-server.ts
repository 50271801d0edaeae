import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { ElicitResultSchema, type ServerNotification, type ServerRequest } from '@modelcontextprotocol/sdk/types.js';
import { type Answers, progressTokenOf } from '../answers.ts';
import type { Ask } from '../confirm.ts';
import { givenBy } from '../confirm-question.ts';
import type { Caller } from '../exchange.ts';
import { RPC, RpcFault } from '../json-rpc.ts';
import type { ProgressNote } from '../progress.ts';

/** What a person answers is read by us, so nothing is validated here; the SDK's own Ajv would cost 17 KB a session. */
const NO_VALIDATOR = {
  getValidator: () => {
    throw new RpcFault(RPC.internal, 'Answers are not validated by the SDK.');
  },
};

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/**
 * One low-level server of the older era over the given answers; for one session only (CVE-2026-25536: a server that
 * is shared answers one client with the results of another).
 */
export function createLegacyServer(answers: Answers): Server {
  const server = new Server(answers.serverInfo, {
    capabilities: { tools: { listChanged: true } },
    instructions: answers.instructions,
    jsonSchemaValidator: NO_VALIDATOR,
  });
  // The fallback instead of setRequestHandler: that one answers a malformed request with −32603 and zod's own text.
  server.fallbackRequestHandler = async (request, extra) => {
    const caller = callerOf(extra);
    if (request.method === 'tools/list') return { ...answers.listTools(request.params, caller) };
    if (request.method === 'tools/call') {
      const ask = server.getClientCapabilities()?.elicitation?.form === undefined ? undefined : askOver(extra);
      return { ...(await answers.callTool(request.params, { ...channelOf(request.params, extra, caller), ask })) };
    }
    throw new RpcFault(RPC.methodNotFound, 'Method not found');
  };
  return server;
}

function channelOf(params: unknown, extra: Extra, caller: Caller) {
  const progressToken = progressTokenOf(params);
  const onProgress = (note: ProgressNote) => {
    const sent = extra.sendNotification({
      method: 'notifications/progress',
      params: { ...note, progressToken: progressToken ?? '' },
    });
    // Progress is a courtesy: a session that ended in between must not fail the run.
    sent.catch(() => undefined);
  };
  // A client that loses its connection has not cancelled (MCP 2025-11-25, Streamable HTTP): the run outlives it.
  const isLasting = true;
  return { caller, signal: extra.signal, isLasting, ...(progressToken === undefined ? {} : { onProgress }) };
}

/** Asks on the stream of the call itself (MCP 2025-11-25, Elicitation), for as long as the call waits and no longer. */
function askOver(extra: Extra): Ask {
  return async (question, { timeoutMs, signal }) => {
    if (signal.aborted) return 'unanswered';
    // The SDK never takes its listener away: a signal of our own, so that a later abort does not take back what is over.
    const stop = new AbortController();
    const end = () => stop.abort();
    signal.addEventListener('abort', end, { once: true });
    try {
      const request = { method: 'elicitation/create', params: { ...question } } as const;
      return givenBy(await extra.sendRequest(request, ElicitResultSchema, { signal: stop.signal, timeout: timeoutMs }));
    } catch {
      // Refused, malformed, too late, or gone: nobody said anything.
      return 'unanswered';
    } finally {
      signal.removeEventListener('abort', end);
    }
  };
}

function callerOf(extra: Extra): Caller {
  const caller = extra.authInfo?.extra?.['caller'];
  // Without a caller nothing may be answered: a transport that forgot it must not mean "anybody".
  if (caller === undefined) throw new RpcFault(RPC.internal, 'The request has no caller.');
  return caller as Caller;
}
