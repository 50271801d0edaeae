import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { resolve } from 'node:path';
import type { Config } from '../../schemas/config.ts';

/** One request to the running gateway. */
export interface GatewayRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Begins with a slash. */
  readonly path: string;
  readonly key?: string | undefined;
  readonly body?: unknown;
  /** Header fields besides those of the key and the body. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Time for the whole answer, milliseconds; default 10 s for GET, otherwise as long as it takes. */
  readonly timeoutMs?: number;
}

/** What came of a request. Nothing is thrown for a gateway that is not there. */
export type GatewayReply =
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** An answer of status 200 as it comes. The iteration rejects when it breaks off or falls silent. */
export interface GatewayStream {
  readonly kind: 'stream';
  readonly body: AsyncIterable<Uint8Array>;
}

/** A way to talk to the gateway at one address. */
export interface GatewayClient {
  (request: GatewayRequest): Promise<GatewayReply>;
  /** Opens an answer that is read bit by bit; every status but 200 is read whole. Ended by the request's signal. */
  open(request: GatewayRequest): Promise<GatewayStream | GatewayReply>;
}

/** The part of a configuration that names the gateway's certificate. */
export interface ShownCertificate {
  readonly tls: Pick<Config['tls'], 'certFile'>;
}

/** Talks to the gateway at an address; over TLS it accepts exactly the certificate that the configuration names. */
export function createClient(address: string, tls: { config: ShownCertificate; root: string }): GatewayClient {
  const base = new URL(address);
  const options = base.protocol === 'https:' ? pinnedCertificate(resolve(tls.root, tls.config.tls.certFile)) : {};
  const place = { base, options };
  return Object.assign((request: GatewayRequest) => ask(place, request), {
    open: (request: GatewayRequest) => open(place, request),
  });
}

interface Place {
  readonly base: URL;
  readonly options: RequestOptions;
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
/** A stream of events says something every 15 s, if only that it is still there. */
const SILENCE_MS = 60_000;
/** More than any answer of a gateway. */
const MAX_ANSWER_BYTES = 67_108_864;

function ask(place: Place, request: GatewayRequest): Promise<GatewayReply> {
  return new Promise((settle) => {
    const fail = (error: Error): void => settle(failure(request, error));
    const outgoing = send(place, request, (answer) => void readAnswer(answer).then(settle, fail));
    outgoing.on('error', fail);
    // Something that listens and says nothing must not hang `status`, or `up` with its lock.
    const ms = request.timeoutMs ?? (request.method === 'GET' ? ANSWER_MS : undefined);
    if (ms === undefined) return;
    const limit = setTimeout(() => outgoing.destroy(new Error(`no answer within ${ms} ms`)), ms);
    outgoing.once('close', () => clearTimeout(limit));
  });
}

function open(place: Place, request: GatewayRequest): Promise<GatewayStream | GatewayReply> {
  return new Promise((settle) => {
    const fail = (error: Error): void => settle(failure(request, error));
    const outgoing = send(place, request, (answer) => {
      if (answer.statusCode === 200) settle({ kind: 'stream', body: answer });
      else void readAnswer(answer).then(settle, fail);
    });
    outgoing.on('error', fail);
    const ms = request.timeoutMs ?? SILENCE_MS;
    outgoing.setTimeout(ms, () => outgoing.destroy(new Error(`nothing came for ${ms} ms`)));
  });
}

function failure({ signal }: GatewayRequest, error: Error): GatewayReply {
  return signal?.aborted ? { kind: 'cancelled' } : { kind: 'unreachable', reason: error.message };
}

function send(place: Place, request: GatewayRequest, onAnswer: (answer: IncomingMessage) => void): ClientRequest {
  const { base, options } = place;
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    accept: 'application/json',
    ...request.headers,
    ...(request.key === undefined ? {} : { authorization: `Bearer ${request.key}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  const start = base.protocol === 'https:' ? requestTls : requestPlain;
  const { method, signal } = request;
  const outgoing = start(
    new URL(request.path, base),
    { ...options, method, headers, agent: false, ...(signal && { signal }) },
    onAnswer,
  );
  outgoing.end(body);
  return outgoing;
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
