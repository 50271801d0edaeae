import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, suite, test } from 'node:test';
import hydra from '../../src/tools/hydra/index.ts';
import { SERVICES, type ServiceName, serviceOf } from '../../src/tools/hydra/services.ts';
import { httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing } from './loopback-run.ts';
import { prepare, registered } from './under-test.ts';

const TOOL = registered(hydra);
const SECOND = '127.0.0.66';

/** A TCP server that does one thing to every connection and counts them. */
async function rudeServer(treat: (socket: Socket) => void, address = '127.0.0.1') {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    treat(socket);
  });
  server.listen(0, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The least input of a service: one login where it takes one, two passwords. */
function guesses(service: ServiceName, { login = 'alice', passwords = ['one', 'two'] } = {}): Record<string, unknown> {
  const { takes, http } = serviceOf(service) as { takes: string; http?: string };
  return {
    host: '127.0.0.1',
    service,
    passwords,
    ...(takes === 'login' ? { users: [login] } : {}),
    ...(http === undefined ? {} : { path: '/x' }),
    ...(http === 'form' ? { form: { userField: 'u', passwordField: 'p', failureText: 'wrong' } } : {}),
  };
}

const OFFERED = Object.keys(SERVICES) as ServiceName[];
const OVER_TCP = OFFERED.filter((name) => name !== 'snmp');
/** Four workers for three seconds at one connection a second each, with room; what floods makes thousands. */
const MOST_CONNECTIONS = 30;

test('a service whose module leaves the target, floods it or cannot be checked is not offered', async () => {
  for (const service of [
    'postgres',
    'ldap2',
    'ldap3',
    'mysql',
    'rdp',
    'smb',
    'telnet',
    'vnc',
    'http-proxy',
    'socks5',
  ]) {
    const input = { host: '10.77.0.10', service, users: ['root'], passwords: ['x'] };
    await assert.rejects(prepare(TOOL, input), { code: 'ERR_INPUT_INVALID' }, service);
  }
});

const skip = await missing(hydra);

suite('hydra against servers that do not answer', { skip, concurrency: 4 }, async () => {
  if (skip !== false) return;
  const runner = await loopbackRunner(hydra);
  after(() => runner.close());

  const endings = {
    closes: (socket: Socket) => void socket.destroy(),
    'reads, then closes': (socket: Socket) => void socket.once('data', () => socket.destroy()),
    resets: (socket: Socket) => void socket.resetAndDestroy(),
  };
  for (const service of OVER_TCP) {
    for (const [how, treat] of Object.entries(endings)) {
      // Services that speak first never send anything to a server that waits.
      if (how.startsWith('reads') && serviceOf(service).proof === 'hidden' && service !== 'redis') continue;
      test(`${service}: a server that ${how} is never a complete negative, and is not flooded`, async () => {
        const server = await rudeServer(treat);
        const { outcome, execution } = await runner.run({ ...guesses(service), port: server.port }, [], 3000);
        await server.close();
        assert.equal(outcome.complete, false);
        assert.deepEqual(outcome.result['credentials'], []);
        assert.ok(server.connections() >= 1);
        assert.ok(server.connections() <= MOST_CONNECTIONS, `${server.connections()} connections`);
        // Where hydra shows answers and there were none, the run has failed.
        const isShown = serviceOf(service).proof !== 'hidden' && execution.ending === 'exited';
        if (isShown) assert.notEqual(outcome.failure, undefined);
      });
    }
  }

  for (const [service, ...lines] of [
    ['ftp', '220 hello'],
    ['smtp', '220 hello', '250 AUTH LOGIN PLAIN'],
  ] as const) {
    test(`${service}: a server that greets and closes on the login is asked at most once a second by each worker`, async () => {
      const server = await rudeServer((socket) => {
        const left = lines.map((line) => `${line}\r\n`);
        socket.write(left.shift() ?? '');
        socket.on('data', () => {
          const next = left.shift();
          if (next === undefined) socket.destroy();
          else socket.write(next);
        });
      });
      const { outcome, execution } = await runner.run({ ...guesses(service), port: server.port }, [], 3000);
      await server.close();
      assert.deepEqual([outcome.complete, execution.ending], [false, 'timed_out']);
      assert.ok(server.connections() <= MOST_CONNECTIONS, `${server.connections()} connections`);
    });
  }

  for (const service of ['http-get', 'http-post-form', 'ftp', 'redis'] as const) {
    test(`${service}: a server that never answers is never a complete negative`, async () => {
      const server = await rudeServer(() => undefined);
      const { outcome } = await runner.run({ ...guesses(service), port: server.port }, [], 3000);
      await server.close();
      assert.equal(outcome.complete, false);
      assert.ok(server.connections() <= MOST_CONNECTIONS, `${server.connections()} connections`);
    });
  }

  for (const status of [400, 408, 429, 503]) {
    test(`http-get: status ${status} is not a refused login`, async () => {
      const server = await httpServer((_request, response) => reply(response, status));
      const { outcome } = await runner.run({ ...guesses('http-get'), port: server.port });
      await server.close();
      assert.deepEqual([outcome.complete, outcome.result['unclear']], [false, 3]);
      assert.match(outcome.failure ?? '', /no clear answer/);
    });
  }

  test('http-post-form: a form that always answers with the failure text is a complete negative', async () => {
    const server = await httpServer((_request, response) => reply(response, 200, { body: 'wrong' }));
    const { outcome } = await runner.run({ ...guesses('http-post-form'), port: server.port });
    await server.close();
    assert.deepEqual([outcome.complete, outcome.failure, outcome.result['note']], [true, undefined, undefined]);
  });

  test('http-post-form: pages of an error are no refusals, whichever text judges them', async () => {
    const server = await httpServer((_request, response) => reply(response, 403));
    const byFailure = await runner.run({ ...guesses('http-post-form'), port: server.port });
    const form = { userField: 'u', passwordField: 'p', successText: 'welcome' };
    const bySuccess = await runner.run({ ...guesses('http-post-form'), form, port: server.port });
    await server.close();
    for (const { outcome } of [byFailure, bySuccess]) {
      assert.equal(outcome.complete, false);
      assert.match(outcome.failure ?? '', /no clear answer/);
    }
  });

  for (const service of OFFERED) {
    test(`${service}: a login and a password that name another server reach only the target and its port`, async () => {
      const second = await rudeServer((socket) => void socket.destroy(), SECOND);
      const udp = createSocket('udp4');
      let datagrams = 0;
      udp.on('message', () => {
        datagrams += 1;
      });
      udp.bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const target = await rudeServer((socket) => void socket.destroy());
      const port = service === 'snmp' ? udp.address().port : target.port;
      const away = `a' host='${SECOND}' hostaddr='${SECOND}' port='${second.port}' x='`;
      const input = guesses(service, { login: away, passwords: [away, `@${SECOND}:${second.port}/`, `//${SECOND}`] });
      await runner.run({ ...input, port }, [], 3000);
      await Promise.all([second.close(), target.close(), new Promise<void>((resolve) => udp.close(() => resolve()))]);
      assert.equal(second.connections(), 0);
      assert.ok((service === 'snmp' ? datagrams : target.connections()) >= 1, 'the port given was not asked');
    });
  }
});
