import type { ErrorBody } from '../../schemas/error.ts';

/** JSON-RPC 2.0 error numbers, and our own two, which lie outside the range that JSON-RPC reserves. */
export const RPC = {
  parseError: -32_700,
  invalidRequest: -32_600,
  methodNotFound: -32_601,
  invalidParams: -32_602,
  internal: -32_603,
  /** The principal lacks a scope. */
  forbidden: 1403,
  /** The session ended while the request was in flight. */
  sessionEnded: 1410,
} as const;

/** A request id as JSON-RPC allows it in MCP: never null. */
export type RpcId = string | number;

/**
 * A protocol error. Everything in it is public. Both SDKs read `code`, `message` and `data` from what a handler
 * throws and send them, so nothing else may ever be thrown through them.
 */
export class RpcFault extends Error {
  readonly code: number;
  readonly data: ErrorBody | undefined;

  constructor(code: number, message: string, data?: ErrorBody) {
    super(message);
    this.name = 'RpcFault';
    this.code = code;
    this.data = data;
  }
}

/** The id of a parsed JSON-RPC message for an error reply; null when it has none (JSON-RPC 2.0, section 5). */
export function idOf(body: unknown): RpcId | null {
  const id = isRecord(body) ? body['id'] : undefined;
  return typeof id === 'string' || (typeof id === 'number' && Number.isSafeInteger(id)) ? id : null;
}

/** The JSON-RPC method of a parsed message, or undefined. */
export function methodOf(body: unknown): string | undefined {
  const method = isRecord(body) ? body['method'] : undefined;
  return typeof method === 'string' ? method : undefined;
}

/** True for a plain JSON object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
