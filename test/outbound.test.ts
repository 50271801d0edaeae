import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createPlainServer, type Socket, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createSecureServer } from 'node:tls';
import { createOutbound } from '../src/outbound.ts';

const clock = { now: () => 1_700_000_000_999, monotonic: () => 0 };
const REFUSED = { code: 'ERR_INTERNAL', message: /^Not delivered: / };
const timeoutMs = 5000;

interface Got {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function listening(t: TestContext, server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A receiver that remembers what it got. */
async function receiver(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      got.push({ method, url, headers, body: Buffer.concat(chunks).toString('utf8') });
      answer(request, response);
    });
  });
  const port = await listening(t, server);
  t.after(() => server.closeAllConnections());
  return { url: `http://127.0.0.1:${port}/hook?x=1`, got };
}

const accept = (_request: IncomingMessage, response: ServerResponse): void => void response.writeHead(204).end();
const needsOpenssl = {
  skip: existsSync('/usr/bin/openssl') ? false : 'openssl is missing (apt-get install openssl)',
};

/** A certificate of its own for each test, and nobody's for the rest of the world. */
function certificate(t: TestContext, name: string): { key: string; cert: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-outbound-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = [
    '-subj',
    `/CN=${name}`,
    '-addext',
    `subjectAltName=${name.startsWith('127') ? 'IP' : 'DNS'}:${name}`,
  ];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  execFileSync('openssl', [...made, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

test('a message is posted as JSON and signed as Standard Webhooks says', async (t) => {
  const { url, got } = await receiver(t, accept);
  const secret = Buffer.from('a secret of some length').toString('base64');
  const outbound = createOutbound({ clock });
  await outbound.post({ url, id: 'msg_1', body: { text: 'grüße' }, secret: `whsec_${secret}`, timeoutMs });
  await outbound.post({ url, id: 'msg_2', body: {}, secret: 'any text', timeoutMs });
  await outbound.post({ url, id: 'msg_3', body: {}, timeoutMs });
  const [one, two, three] = got;
  assert.deepEqual([one?.method, one?.url, one?.body], ['POST', '/hook?x=1', '{"text":"grüße"}']);
  assert.deepEqual([one?.headers['user-agent'], one?.headers['content-type']], ['sallyport', 'application/json']);
  const mac = (key: Buffer, text: string): string => `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
  assert.deepEqual([one?.headers['webhook-id'], one?.headers['webhook-timestamp']], ['msg_1', '1700000000']);
  const signed = mac(Buffer.from(secret, 'base64'), `msg_1.1700000000.${one?.body}`);
  assert.equal(one?.headers['webhook-signature'], signed);
  assert.equal(two?.headers['webhook-signature'], mac(Buffer.from('any text'), 'msg_2.1700000000.{}'));
  assert.equal(three?.headers['webhook-signature'], undefined);
  await assert.rejects(async () => outbound.post({ url, id: 'm', body: {}, secret: 'whsec_', timeoutMs }), REFUSED);
});

test('a redirect is an answer like any other failure: it is not followed', async (t) => {
  const inner = await receiver(t, accept);
  for (const status of [301, 302, 307, 308]) {
    const { url } = await receiver(t, (_request, response) =>
      response.writeHead(status, { location: inner.url }).end(),
    );
    await assert.rejects(createOutbound().post({ url, id: 'm', body: {}, timeoutMs }), REFUSED);
  }
  assert.deepEqual(inner.got, []);
});

test('only 2xx is taken for delivered; silence, a broken connection and a refused one are not', async (t) => {
  const outbound = createOutbound();
  for (const status of [400, 404, 410, 500, 503]) {
    const { url } = await receiver(t, (_request, response) => response.writeHead(status).end('why'));
    await assert.rejects(outbound.post({ url, id: 'm', body: {}, timeoutMs }), REFUSED, String(status));
  }
  const silent = await receiver(t, () => undefined);
  await assert.rejects(outbound.post({ url: silent.url, id: 'm', body: {}, timeoutMs: 50 }), REFUSED);
  const broken = await receiver(t, (request) => void request.socket.destroy());
  await assert.rejects(outbound.post({ url: broken.url, id: 'm', body: {}, timeoutMs }), REFUSED);
  const gone = createPlainServer();
  const port = await listening(t, gone);
  gone.close();
  await once(gone, 'close');
  await assert.rejects(outbound.post({ url: `http://127.0.0.1:${port}/`, id: 'm', body: {}, timeoutMs }), REFUSED);
});

test('an answer without end is cut off, and what was taken counts as delivered', async (t) => {
  let sent = 0;
  const { url } = await receiver(t, (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && sent < 100_000_000) {
        sent += 65_536;
        if (!response.write(Buffer.alloc(65_536))) return;
      }
    };
    response.on('drain', more);
    response.on('error', () => undefined);
    more();
  });
  await createOutbound().post({ url, id: 'm', body: {}, timeoutMs });
  assert.ok(sent < 50_000_000, String(sent));
});

test('an address of another kind, or with a password in it, is refused before anything is sent, and is not named', async () => {
  const outbound = createOutbound();
  for (const url of [
    'file:///etc/passwd',
    'ftp://h/',
    'nonsense',
    'http://name:topsecret@127.0.0.1/',
    'javascript:1',
  ]) {
    await assert.rejects(
      async () => outbound.post({ url, id: 'm', body: {}, timeoutMs }),
      (thrown: Error) => {
        assert.match(thrown.message, /^Not delivered/);
        assert.doesNotMatch(thrown.message, /topsecret|passwd/);
        return true;
      },
    );
  }
  await assert.rejects(outbound.syslog({ url: 'http://127.0.0.1:1', message: 'm', timeoutMs }), REFUSED);
});

test(
  'a certificate that nobody vouches for, or of another name, ends the delivery before anything is sent',
  needsOpenssl,
  async (t) => {
    const { key, cert } = certificate(t, '127.0.0.1');
    const got: unknown[] = [];
    const server = createTlsServer({ key, cert }, (request, response) => {
      got.push(request.url);
      response.end();
    });
    const url = `https://127.0.0.1:${await listening(t, server)}/`;
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    await assert.rejects(createOutbound().post({ url, id: 'm', body: {}, timeoutMs }), REFUSED);
    const other = certificate(t, 'other.test');
    await assert.rejects(createOutbound({ ca: other.cert }).post({ url, id: 'm', body: {}, timeoutMs }), REFUSED);
    assert.deepEqual(got, []);
    await createOutbound({ ca: cert }).post({ url, id: 'm', body: {}, timeoutMs });
    assert.deepEqual(got, ['/']);
  },
);

test('a log message goes out as one datagram', async (t) => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  const came = once(socket, 'message') as Promise<[Buffer]>;
  await createOutbound().syslog({ url: `udp://127.0.0.1:${socket.address().port}`, message: '<1>1 grüße', timeoutMs });
  assert.equal((await came)[0].toString('utf8'), '<1>1 grüße');
});

/** Everything that one connection brings. */
function allOf(server: NetServer, event: 'connection' | 'secureConnection'): Promise<string> {
  return once(server, event).then(async ([socket]) => {
    const chunks: Buffer[] = [];
    for await (const chunk of socket as Socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  });
}

test(
  'over TCP and TLS a message is framed by its length in octets, so that a newline in it begins no other one',
  needsOpenssl,
  async (t) => {
    const message = '<1>1 grüße\n<0>1 forged';
    const framed = `${Buffer.byteLength(message)} ${message}`;
    const plain = createPlainServer();
    const tcp = `tcp://127.0.0.1:${await listening(t, plain)}`;
    const [overTcp] = await Promise.all([
      allOf(plain, 'connection'),
      createOutbound().syslog({ url: tcp, message, timeoutMs }),
    ]);
    assert.equal(overTcp, framed);
    const { key, cert } = certificate(t, '127.0.0.1');
    const secure = createSecureServer({ key, cert });
    const tls = `tls://127.0.0.1:${await listening(t, secure)}`;
    const [overTls] = await Promise.all([
      allOf(secure, 'secureConnection'),
      createOutbound({ ca: cert }).syslog({ url: tls, message, timeoutMs }),
    ]);
    assert.equal(overTls, framed);
    await assert.rejects(createOutbound().syslog({ url: tls, message, timeoutMs }), REFUSED);
  },
);

test('a log server that takes the connection and no more does not hold the gateway up', async (t) => {
  const silent = createPlainServer((socket) => socket.on('error', () => undefined));
  const url = `tls://127.0.0.1:${await listening(t, silent)}`;
  t.after(() => silent.close());
  await assert.rejects(createOutbound().syslog({ url, message: 'm', timeoutMs: 50 }), REFUSED);
  await assert.rejects(createOutbound().syslog({ url: 'tcp://127.0.0.1:1', message: 'm', timeoutMs }), REFUSED);
});
