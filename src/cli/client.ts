import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { resolve } from 'node:path';
import type { Config } from '../../schemas/config.ts';

/** One request to the running gateway. */
export interface GatewayRequest {
  readonly method: 'GET' | 'POST';
  /** Begins with a slash. */
  readonly path: string;
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** What came of a request. Nothing is thrown for a gateway that is not there. */
export type GatewayReply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** A way to talk to the gateway at one address. */
export type GatewayClient = (request: GatewayRequest) => Promise<GatewayReply>;

/** The part of a configuration that names the gateway's certificate. */
export interface ShownCertificate {
  readonly tls: Pick<Config['tls'], 'certFile'>;
}

/** Talks to the gateway at an address; over TLS it accepts exactly the certificate that the configuration names. */
export function createClient(address: string, tls: { config: ShownCertificate; root: string }): GatewayClient {
  const base = new URL(address);
  const options = base.protocol === 'https:' ? pinnedCertificate(resolve(tls.root, tls.config.tls.certFile)) : {};
  return (request) => send(base, request, options);
}

function pinnedCertificate(file: string): RequestOptions & { ca: Buffer; checkServerIdentity: () => undefined } {
  const ca = readFileSync(file);
  const own = new X509Certificate(ca).fingerprint256;
  return {
    ca,
    // The address is 127.0.0.1 where the certificate carries a public name; another certificate is an impostor.
    checkServerIdentity: ((_host: string, peer: { fingerprint256: string }) =>
      peer.fingerprint256 === own ? undefined : new Error('it shows another certificate')) as () => undefined,
  };
}

/** Time in which a question must be answered; a run takes as long as it takes. */
const ANSWER_MS = 10_000;
/** More than any answer of a gateway. */
const MAX_ANSWER_BYTES = 67_108_864;

function send(base: URL, request: GatewayRequest, options: RequestOptions): Promise<GatewayReply> {
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    accept: 'application/json',
    ...(request.key === undefined ? {} : { authorization: `Bearer ${request.key}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  return new Promise((settle) => {
    const start = base.protocol === 'https:' ? requestTls : requestPlain;
    const fail = (error: Error): void =>
      settle(request.signal?.aborted ? { kind: 'cancelled' } : { kind: 'unreachable', reason: error.message });
    const outgoing = start(
      new URL(request.path, base),
      { ...options, method: request.method, headers, agent: false, ...(request.signal && { signal: request.signal }) },
      (answer) => void readAnswer(answer).then(settle, fail),
    );
    outgoing.on('error', fail);
    // Something that listens and says nothing must not hang `status`, or `up` with its lock.
    if (request.method === 'GET') {
      const limit = setTimeout(() => outgoing.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      outgoing.once('close', () => clearTimeout(limit));
    }
    outgoing.end(body);
  });
}

async function readAnswer(answer: IncomingMessage): Promise<GatewayReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer is too large for a gateway');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return { kind: 'answer', status: answer.statusCode ?? 0, body: parseJson(text) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text; // a proxy in between answers pages; they are shown as they are
  }
}
