import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Measured } from './processes.ts';

const INFO = { name: 'bench', version: '1' };
const MODERN_VERSION = '2026-07-28';
const SESSION_VERSION = '2025-11-25';

/** One way to call a tool and wait for its result. Throws unless the run succeeded. */
export interface ToolCaller {
  call(tool: string, input: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

/** The headers of every JSON request with the key of the gateway. */
export function jsonHeaders({ key }: Measured): Record<string, string> {
  return {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
}

/** POST /v1/tools/NAME/runs. */
export function restCaller(gateway: Measured): ToolCaller {
  const headers = jsonHeaders(gateway);
  return {
    call: async (tool, input) => {
      const url = `${gateway.origin}/v1/tools/${tool}/runs`;
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ input }) });
      const body = (await response.json()) as { outcome?: string };
      if (body.outcome !== 'succeeded') throw new Error(`REST answered ${JSON.stringify(body)}`);
    },
    close: async () => undefined,
  };
}

/** tools/call in a session of the older era, with the client of SDK 1.x. */
export async function sessionCaller(gateway: Measured): Promise<ToolCaller> {
  const client = new Client(INFO);
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', gateway.origin), {
      requestInit: { headers: { authorization: `Bearer ${gateway.key}` } },
    }),
  );
  return {
    call: async (name, args) => mustSucceed(await client.callTool({ name, arguments: args })),
    close: () => client.close(),
  };
}

/** tools/call of the newer era, with its own client. */
export async function modernCaller(gateway: Measured): Promise<ToolCaller> {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: { pin: MODERN_VERSION } } });
  await client.connect(
    new ModernTransport(new URL('/mcp', gateway.origin), {
      requestInit: { headers: { authorization: `Bearer ${gateway.key}` } },
    }),
  );
  return {
    call: async (name, args) => mustSucceed(await client.callTool({ name, arguments: args })),
    close: () => client.close(),
  };
}

function mustSucceed(result: object): void {
  const { isError, structuredContent } = result as { isError?: boolean; structuredContent?: { outcome?: string } };
  if (isError !== true && structuredContent?.outcome === 'succeeded') return;
  throw new Error(`MCP answered ${JSON.stringify(result)}`);
}

/** One request as bytes. */
export interface RawRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A request in a session of the older era. */
export function sessionRequest(
  gateway: Measured,
  session: string,
  message: { method: string; params?: object },
): RawRequest {
  return {
    headers: { ...jsonHeaders(gateway), 'mcp-session-id': session, 'mcp-protocol-version': SESSION_VERSION },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, params: {}, ...message }),
  };
}

/** A request of the newer era with its envelope and the headers that mirror it. */
export function modernRequest(
  gateway: Measured,
  { method, params = {} }: { method: string; params?: { readonly name?: string } & Record<string, unknown> },
): RawRequest {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN_VERSION,
    'io.modelcontextprotocol/clientInfo': INFO,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return {
    headers: {
      ...jsonHeaders(gateway),
      'mcp-protocol-version': MODERN_VERSION,
      'mcp-method': method,
      ...(params.name === undefined ? {} : { 'mcp-name': params.name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
  };
}

/** Opens sessions of the older era by hand and returns their ids. */
export async function openSessions(gateway: Measured, count: number): Promise<string[]> {
  const url = new URL('/mcp', gateway.origin);
  const open = async () => {
    const params = { protocolVersion: SESSION_VERSION, capabilities: {}, clientInfo: INFO };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    const response = await fetch(url, { method: 'POST', headers: jsonHeaders(gateway), body });
    await response.text();
    const session = response.headers.get('mcp-session-id');
    if (session === null) throw new Error(`no session was opened (${response.status})`);
    const initialized = sessionRequest(gateway, session, { method: 'notifications/initialized' });
    const { id: _none, ...notification } = JSON.parse(initialized.body) as Record<string, unknown>;
    const done = await fetch(url, { method: 'POST', headers: initialized.headers, body: JSON.stringify(notification) });
    await done.text();
    return session;
  };
  return Promise.all(Array.from({ length: count }, open));
}
