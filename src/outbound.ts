import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect as connectPlain, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Outbound } from './core/audit/types.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { SallyportError } from './core/errors.ts';

/** What `createOutbound` may be given. */
export interface OutboundOptions {
  readonly clock?: Clock;
  /** Certificates in PEM that are trusted instead of the system's. */
  readonly ca?: string;
}

/**
 * The way out of the process to addresses that the operator configured, and to no other: redirects are not followed, since
 * a receiver could point them at our own network, and what is answered is not read. Each method rejects with a reason that
 * names neither address nor secret.
 */
export function createOutbound({ clock = systemClock, ca }: OutboundOptions = {}): Outbound {
  const trust: Trust = ca === undefined ? {} : { ca };
  return {
    post: (request) => post(request, trust, clock),
    syslog: async ({ url, message, timeoutMs }) => {
      const { protocol, hostname, port } = placeOf(url, ['udp:', 'tcp:', 'tls:']);
      const host = hostname.replace(/^\[|\]$/g, '');
      const place = { host, port: Number(port || DEFAULT_PORTS[protocol]) };
      if (protocol === 'udp:') return sendDatagram(place, message, timeoutMs);
      const socket =
        protocol === 'tls:'
          ? connectTls({ ...place, ...trust, ...(isName(host) && { servername: host }), rejectUnauthorized: true })
          : connectPlain(place);
      return sendFramed(socket, message, { isReady: protocol === 'tls:' ? 'secureConnect' : 'connect', timeoutMs });
    },
  };
}

interface Trust {
  readonly ca?: string;
}
interface Place {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'udp:': '514', 'tcp:': '601', 'tls:': '6514' };
/** What a receiver answers is of no use; this much is taken so that the connection ends well. */
const MAX_ANSWER_BYTES = 65_536;

function post(request: Parameters<Outbound['post']>[0], trust: Trust, clock: Clock): Promise<void> {
  const url = placeOf(request.url, ['http:', 'https:']);
  const body = Buffer.from(JSON.stringify(request.body), 'utf8');
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    'user-agent': 'sallyport',
    ...signature(request, body, Math.floor(clock.now() / 1000)),
  };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const start = url.protocol === 'https:' ? requestTls : requestPlain;
  // Certificates are checked whatever NODE_TLS_REJECT_UNAUTHORIZED says.
  const options = { ...trust, method: 'POST', headers, agent: false, rejectUnauthorized: true } as const;
  const outgoing = start(url, options, (answer) => {
    const status = answer.statusCode ?? 0;
    const isTaken = status >= 200 && status < 300;
    // The status decides; what comes after it may end as it likes.
    if (isTaken) resolve();
    else reject(failure(`the receiver answered ${status}`));
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) outgoing.destroy();
    });
  });
  const limit = setTimeout(
    () => outgoing.destroy(failure(`no answer within ${request.timeoutMs} ms`)),
    request.timeoutMs,
  );
  outgoing.once('close', () => {
    clearTimeout(limit);
    reject(failure('the connection ended before an answer'));
  });
  outgoing.on('error', (thrown) => reject(reasonOf(thrown)));
  outgoing.end(body);
  return promise;
}

/** Standard Webhooks 1.0: HMAC-SHA256 over id, time and body; the time lets a receiver refuse what is replayed. */
function signature(request: Parameters<Outbound['post']>[0], body: Buffer, seconds: number): Record<string, string> {
  const { id, secret } = request;
  const named = { 'webhook-id': id, 'webhook-timestamp': String(seconds) };
  if (secret === undefined) return named;
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret, 'utf8');
  // An empty key signs what anybody can sign.
  if (key.length === 0) throw failure('the secret of the webhook is empty');
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64');
  return { ...named, 'webhook-signature': `v1,${mac}` };
}

/** One datagram is one message (RFC 5426); nobody says whether it arrived. */
function sendDatagram({ host, port }: Place, message: string, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  const limit = setTimeout(() => reject(failure(`not sent within ${timeoutMs} ms`)), timeoutMs);
  socket.on('error', (thrown) => reject(reasonOf(thrown)));
  socket.send(Buffer.from(message, 'utf8'), port, host, (thrown) => {
    if (thrown === null) resolve();
    else reject(reasonOf(thrown));
  });
  return promise.finally(() => {
    clearTimeout(limit);
    socket.close();
  });
}

/** Octet counting (RFC 6587 section 3.4.1, RFC 5425 section 4.3): a newline in a message begins no other one. */
function sendFramed(
  socket: Socket,
  message: string,
  { isReady, timeoutMs }: { readonly isReady: 'connect' | 'secureConnect'; readonly timeoutMs: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const limit = setTimeout(() => reject(failure(`not sent within ${timeoutMs} ms`)), timeoutMs);
  socket.on('error', (thrown) => reject(reasonOf(thrown)));
  socket.once('close', () => reject(failure('the connection ended before the message was sent')));
  // Not before the certificate was checked.
  socket.once(isReady, () => {
    socket.end(`${Buffer.byteLength(message, 'utf8')} ${message}`);
    socket.once('finish', resolve);
  });
  return promise.finally(() => {
    clearTimeout(limit);
    socket.destroy();
  });
}

function placeOf(text: string, protocols: readonly string[]): URL {
  const url = URL.parse(text);
  if (url === null || !protocols.includes(url.protocol) || url.hostname === '') {
    throw failure(`the address must begin with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`);
  }
  // They would be sent as a header, and logged by whoever logs addresses.
  if (url.username !== '' || url.password !== '') throw failure('the address must not hold a name or a password');
  return url;
}

function isName(host: string): boolean {
  return !isIPv6(host) && !/^[\d.]+$/.test(host);
}

function reasonOf(thrown: unknown): Error {
  if (thrown instanceof SallyportError) return thrown;
  const { code } = thrown as NodeJS.ErrnoException;
  return failure(code ?? 'the connection failed', thrown);
}

function failure(why: string, cause?: unknown): SallyportError {
  return new SallyportError('ERR_INTERNAL', `Not delivered: ${why}.`, { cause });
}
