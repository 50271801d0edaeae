import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Config } from '../../schemas/config.ts';
import { createClient } from '../../src/cli/client.ts';
import { temporaryDirectory } from './command-line.ts';
import { listen } from './fake-gateway.ts';
import { collect } from './fake-runs.ts';

const NO_OPENSSL = spawnSync('openssl', ['version']).error === undefined ? false : 'needs the program openssl';

function makeCertificate(directory: string, name: string) {
  const [certFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const subject = ['-subj', '/CN=gateway.example', '-days', '2', '-nodes', '-newkey', 'ec', '-pkeyopt'];
  const args = ['req', '-x509', ...subject, 'ec_paramgen_curve:prime256v1', '-keyout', keyFile, '-out', certFile];
  assert.equal(spawnSync('openssl', args).status, 0);
  return { certFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

const withCertificate = (certFile: string): Config => ({ tls: { certFile } }) as unknown as Config;

async function gatewayOverTls(t: TestContext, shown: { cert: string; key: string }) {
  const keys: unknown[] = [];
  const port = await listen(
    t,
    (request, response) => {
      keys.push(request.headers.authorization);
      response.end('{"fine":true}');
    },
    shown,
  );
  return { keys, address: `https://127.0.0.1:${port}` };
}

test('over TLS the configured certificate is believed, whatever name it carries', { skip: NO_OPENSSL }, async (t) => {
  const directory = temporaryDirectory(t);
  const own = makeCertificate(directory, 'own');
  const { keys, address } = await gatewayOverTls(t, own);
  // Relative to the checkout, as the gateway reads it.
  const client = createClient(address, { config: withCertificate('own.pem'), root: directory });
  assert.deepEqual(await client({ method: 'GET', path: '/x', key: 'k' }), {
    kind: 'answer',
    status: 200,
    body: { fine: true },
  });
  assert.deepEqual(keys, ['Bearer k']);
});

test('over TLS another certificate gets no key, even with the same name', { skip: NO_OPENSSL }, async (t) => {
  const directory = temporaryDirectory(t);
  const own = makeCertificate(directory, 'own');
  const { keys, address } = await gatewayOverTls(t, makeCertificate(directory, 'impostor'));
  const client = createClient(address, { config: withCertificate(own.certFile), root: directory });
  assert.equal((await client({ method: 'GET', path: '/x', key: 'k' })).kind, 'unreachable');
  assert.deepEqual(keys, []);
});

test('an answer that breaks off is no answer', async (t) => {
  const port = await listen(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"a":');
    setImmediate(() => response.destroy());
  });
  const client = createClient(`http://127.0.0.1:${port}`, { config: withCertificate(''), root: '/' });
  assert.equal((await client({ method: 'GET', path: '/' })).kind, 'unreachable');
});

test('a gateway that accepts and says nothing is unreachable after a while, not for ever', async (t) => {
  const silent = createTcpServer().listen(0, '127.0.0.1');
  t.after(() => silent.close());
  const held: Socket[] = [];
  silent.on('connection', (socket) => held.push(socket));
  await once(silent, 'listening');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { port } = silent.address() as { port: number };
  const asked = createClient(`http://127.0.0.1:${port}`, { config: withCertificate(''), root: '/' })({
    method: 'GET',
    path: '/health',
  });
  t.mock.timers.tick(10_001);
  assert.equal((await asked).kind, 'unreachable');
  for (const socket of held) socket.destroy();
});

test('an opened answer is given as it comes, and every status but 200 is read whole', async (t) => {
  const port = await listen(t, (request, response) => {
    if (request.url === '/no') response.writeHead(404).end('{"code":"ERR_RUN_UNKNOWN"}');
    else if (request.url === '/away') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    else response.end(JSON.stringify(request.headers));
  });
  const client = createClient(`http://127.0.0.1:${port}`, { config: withCertificate(''), root: '/' });
  const opened = await client.open({ method: 'GET', path: '/', key: 'k', headers: { accept: 'text/event-stream' } });
  assert.ok(opened.kind === 'stream');
  const text = Buffer.concat(await collect(opened.body)).toString('utf8');
  const headers = JSON.parse(text) as Record<string, string>;
  assert.equal(headers['accept'], 'text/event-stream');
  assert.equal(headers['authorization'], 'Bearer k');
  const refused = await client.open({ method: 'GET', path: '/no' });
  assert.deepEqual(refused, { kind: 'answer', status: 404, body: { code: 'ERR_RUN_UNKNOWN' } });
  // A key goes to the gateway and nowhere else.
  assert.deepEqual(await client.open({ method: 'GET', path: '/away' }), { kind: 'answer', status: 302, body: '' });
});

test('an opened answer that falls silent or breaks off is not taken for a whole one', async (t) => {
  const port = await listen(t, (request, response) => {
    response.writeHead(200).write('begun');
    if (request.url === '/break') setImmediate(() => response.destroy());
  });
  const client = createClient(`http://127.0.0.1:${port}`, { config: withCertificate(''), root: '/' });
  for (const path of ['/break', '/silence']) {
    const opened = await client.open({ method: 'GET', path, timeoutMs: 200 });
    assert.ok(opened.kind === 'stream');
    await assert.rejects(collect(opened.body), path);
  }
});
