import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startServer } from './fixtures/server-process.ts';

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(20);
}

test('the first start writes a private key and an address that answers; TERM ends it cleanly', async (t) => {
  const server = startServer(t);
  const address = await server.ready();
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(statSync(join(server.dataDir, 'first-key')).mode & 0o777, 0o600);
  const headers = { authorization: `Bearer ${server.key()}` };
  assert.equal((await fetch(`${address}/v1/tools`, { headers })).status, 200);
  assert.equal((await fetch(`${address}/health/ready`)).status, 200);
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
  assert.equal(existsSync(join(server.dataDir, 'address')), false);
  assert.ok(!server.output().includes(server.key()), 'the key is in the file only');
  for (const line of server.output().trim().split('\n')) assert.doesNotThrow(() => JSON.parse(line) as unknown, line);
});

test('a tool that is left out does not exist, and the others are served', async (t) => {
  const server = startServer(t, { yaml: 'tools: { exclude: [hydra, sqlm*] }\n' });
  const address = await server.ready();
  const headers = { authorization: `Bearer ${server.key()}` };
  const { tools } = (await (await fetch(`${address}/v1/tools`, { headers })).json()) as { tools: { name: string }[] };
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['dig', 'gobuster', 'masscan', 'nmap'],
  );
});

test('HUP reads the configuration again, and an inspector is not opened by USR1', async (t) => {
  const server = startServer(t, { yaml: 'policy: { risk: active }\n' });
  const address = await server.ready();
  const headers = { authorization: `Bearer ${server.key()}` };
  const risk = async () =>
    ((await (await fetch(`${address}/v1/config`, { headers })).json()) as { policy: { risk: string } }).policy.risk;
  server.child.kill('SIGUSR1');
  writeFileSync(server.configFile, 'policy: { risk: observe }\n');
  server.child.kill('SIGHUP');
  await until(async () => (await risk()) === 'observe');
  assert.doesNotMatch(server.output(), /Debugger listening/);
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
});

test('a second gateway on the same data directory does not start', async (t) => {
  const first = startServer(t);
  await first.ready();
  const second = startServer(t, { dataDir: first.dataDir });
  assert.equal(await second.ended, 1);
  assert.match(second.output(), /"code":"ERR_STORE_UNAVAILABLE"/);
  assert.equal((await fetch(`${readFileSync(join(first.dataDir, 'address'), 'utf8').trim()}/health/live`)).status, 200);
});

const REFUSED = [
  { name: 'another address without TLS', yaml: 'host: 0.0.0.0\n', says: /listening beyond loopback without TLS/ },
  {
    name: 'another address without a key',
    yaml: 'host: 0.0.0.0\ninsecureBehindProxy: true\ntrustProxy: [10.0.0.1]\n',
    says: /no API key, and the address is not loopback/,
  },
  { name: 'a value above a hard top', yaml: 'tools: { dig: { timeoutMs: 3500000 } }\n', says: /tools\.dig\.timeoutMs/ },
  { name: 'a quoted boolean', yaml: 'policy: { allowLoopback: "false" }\n', says: /policy\.allowLoopback/ },
  {
    name: 'a layer that cannot be had',
    yaml: 'execution: { require: [raw] }\n',
    says: /raw packets are required and not enabled/,
  },
];
for (const { name, yaml, says } of REFUSED) {
  test(`it refuses to start with ${name}`, async (t) => {
    const server = startServer(t, { yaml });
    assert.equal(await server.ended, 1);
    assert.match(server.output(), says);
    assert.match(server.output(), /"code":"ERR_CONFIG_INVALID"/);
    assert.equal(existsSync(join(server.dataDir, 'address')), false);
  });
}

test('every fault of a configuration is told at once', async (t) => {
  const server = startServer(t, {
    yaml: 'port: 99999\npolicy: { risk: wild, denyPorts: [x], scope: { allow: [10.0.0.1/8] } }\ntools: { nmap: { concurrency: 16 } }\nnonsense: 1\nlog: { level: loud }\n',
  });
  assert.equal(await server.ended, 1);
  for (const key of [
    'port',
    'policy.risk',
    'policy.denyPorts',
    'policy.scope.allow',
    'tools.nmap.concurrency',
    'nonsense',
    'log.level',
  ])
    assert.ok(server.output().includes(key), key);
});

const hasOpenssl = existsSync('/usr/bin/openssl');
test('TLS with client certificates: one without is not let in', {
  skip: hasOpenssl ? false : 'openssl is missing (apt-get install openssl)',
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  const server = startServer(t, { yaml: `tls: { certFile: ${cert}, keyFile: ${key}, clientCaFile: ${cert} }\n` });
  const { port } = new URL(await server.ready());
  const ask = async (client: object) => {
    const call = httpsRequest({
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path: '/health/live',
      ca: readFileSync(cert),
      ...client,
    });
    call.end();
    const [response] = (await once(call, 'response')) as [{ statusCode: number }];
    return response.statusCode;
  };
  assert.equal(await ask({ cert: readFileSync(cert), key: readFileSync(key) }), 200);
  await assert.rejects(ask({}));
});

test('a client that says nothing does not keep the gateway from ending', async (t) => {
  const server = startServer(t);
  const { port } = new URL(await server.ready());
  const silent = [connect(Number(port), '127.0.0.1'), connect(Number(port), '127.0.0.1')];
  for (const socket of silent) socket.on('error', () => undefined);
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  silent[1]?.write('POST /v1/tools/dig/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{');
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
  for (const socket of silent) socket.destroy();
});

test('a FIFO in place of the configuration file is refused and changes nothing', async (t) => {
  const server = startServer(t, { yaml: 'policy: { risk: observe }\n' });
  const address = await server.ready();
  rmSync(server.configFile);
  execFileSync('mkfifo', [server.configFile]);
  server.child.kill('SIGHUP');
  const headers = { authorization: `Bearer ${server.key()}` };
  await until(
    async () =>
      ((await (await fetch(`${address}/health`, { headers })).json()) as { status: string }).status === 'degraded',
  );
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
});
