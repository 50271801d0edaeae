import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '../core/auth/types.ts';
import { type RpcId, RPC } from './json-rpc.ts';

/** Who sent one HTTP request, under which id it is known in logs, and whether its reader keeps up. */
export interface Caller {
  readonly principal: Principal;
  readonly requestId: string;
  /** True while bytes wait for a slow reader, or when it is gone: what may be left out is left out then. */
  isSlow(): boolean;
}

/** One authenticated HTTP request to /mcp whose body was parsed. */
export interface McpExchange {
  readonly httpMethod: 'GET' | 'POST' | 'DELETE';
  readonly raw: IncomingMessage;
  readonly body: unknown;
  readonly caller: Caller;
  /** Takes the response away from the web framework; from then on nobody else writes to it. */
  take(): ServerResponse;
}

/** A reply that needs no stream. */
export interface McpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/**
 * Calls the listener once when the response is over, also when it was over before: a client can leave while its body
 * is still being read, and what waits for an event that has passed is never released.
 */
export function whenClosed(response: ServerResponse, listener: () => void): void {
  if (response.closed) queueMicrotask(listener);
  else response.once('close', listener);
}

/** One header as a string; undefined when it is absent or was sent more than once. */
export function headerOf(exchange: McpExchange, name: string): string | undefined {
  const value = exchange.raw.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** A JSON-RPC error over HTTP. */
export function rpcReply(status: number, message: string, at: { id?: RpcId | null; code?: number } = {}): McpReply {
  return {
    status,
    body: { jsonrpc: '2.0', id: at.id ?? null, error: { code: at.code ?? RPC.invalidRequest, message } },
  };
}
