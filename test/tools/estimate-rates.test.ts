import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AnyTool, PinnedWordlist, ToolEstimate } from '../../src/core/tool/definition.ts';
import dig from '../../src/tools/dig/index.ts';
import gobuster from '../../src/tools/gobuster/index.ts';
import hydra from '../../src/tools/hydra/index.ts';
import nmap from '../../src/tools/nmap/index.ts';
import { type DnsReply, startDnsServer } from '../fixtures/dns-server.ts';
import { httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing } from './loopback-run.ts';
import { prepare, registered } from './under-test.ts';

/** A second, less what may lie between leaving and being seen. */
const SECOND_MS = 900;
const TRIES = 3;

/** The most beginnings in any one second. */
function busiestSecond(times: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    while (time - (times[first] ?? time) >= SECOND_MS) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** Runs until no second had more than the bound. A machine that stalls bunches what it sees, but not every time. */
async function assertHeld(bound: number, run: () => Promise<readonly number[]>): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    const most = busiestSecond(await run());
    if (most > bound && tried < TRIES) continue;
    assert.ok(most <= bound, `${most} in one second, ${bound} were estimated`);
    return;
  }
}

/** The estimate of the same call at another address; nothing in it knows where it goes. */
async function estimateOf(tool: AnyTool, input: Record<string, unknown>, lines = 0): Promise<ToolEstimate> {
  const call = await prepare(registered(tool), input);
  const lists = [...call.context.wordlists].map(([role, list]): [string, PinnedWordlist] => [role, { ...list, lines }]);
  const context = { ...call.context, wordlists: new Map(lists) };
  return tool.estimate?.(call.input, call.pinned, context) ?? assert.fail('no estimate');
}

const ELSEWHERE = '10.77.0.10';

describe('no second of gobuster sends more than it estimates', { skip: await missing(gobuster) }, () => {
  let runner: Awaited<ReturnType<typeof loopbackRunner>>;
  let list: string;
  const WORDS = 24;
  before(async () => {
    runner = await loopbackRunner(gobuster);
    list = join(await mkdtemp(join(tmpdir(), 'sallyport-lists-')), 'words.txt');
    await writeFile(list, Array.from({ length: WORDS }, (_, index) => `w${index}\n`).join(''));
  });
  after(async () => {
    await runner.close();
    await rm(dirname(list), { recursive: true });
  });

  it('at a web server', async () => {
    const server = await httpServer((_request, response) => reply(response, 404));
    const more = { mode: 'dir', wordlist: 'x/words', threads: 8, delayMs: 400, extensions: ['php'] };
    const input = (host: string) => ({ ...more, url: { scheme: 'http', host, port: server.port } });
    const estimate = await estimateOf(gobuster, input(ELSEWHERE), WORDS);
    await assertHeld(estimate.packetsPerSecond, async () => {
      server.seen.length = 0;
      const { outcome } = await runner.run(input('127.0.0.1'), [list]);
      assert.equal(outcome.complete, true);
      assert.equal(server.seen.length, estimate.probes);
      return server.seen.map(({ at }) => at);
    });
    await server.close();
  });

  it('at a web server that breaks every connection at its second request, and no more in all than its worst case', async () => {
    const used = new WeakSet<object>();
    const server = await httpServer((_request, response) => {
      const { socket } = response;
      if (socket === null || used.has(socket)) return void response.destroy();
      used.add(socket);
      reply(response, 404);
    });
    const more = { mode: 'dir', wordlist: 'x/words', threads: 4, delayMs: 100 };
    const input = (host: string) => ({ ...more, url: { scheme: 'http', host, port: server.port } });
    const { probes, mostProbes = 0 } = await estimateOf(gobuster, input(ELSEWHERE), WORDS);
    await runner.run(input('127.0.0.1'), [list]);
    assert.ok(server.seen.length > probes, 'nothing was sent twice: the server is no attack');
    assert.ok(server.seen.length <= mostProbes, `${server.seen.length} of ${mostProbes}`);
    await server.close();
  });

  const answers: readonly (readonly [string, DnsReply])[] = [
    ['knows no name', { code: 'NXDOMAIN' }],
    ['always fails', { code: 'SERVFAIL' }],
    ['cuts every answer and fails then', { code: 'SERVFAIL', truncated: true }],
    ['cuts every answer', { code: 'NXDOMAIN', truncated: true }],
  ];
  for (const [what, answer] of answers) {
    it(`at a name server that ${what}`, async () => {
      const times: number[] = [];
      await using server = await startDnsServer(() => {
        times.push(performance.now());
        return answer;
      });
      const more = { mode: 'dns', domain: 'lab.internal', wordlist: 'x/words', threads: 4, delayMs: 500 };
      const resolver = (host: string) => ({ ...more, resolver: `${host}:${server.address.split(':')[1]}` });
      const estimate = await estimateOf(gobuster, resolver(ELSEWHERE), WORDS);
      await assertHeld(estimate.packetsPerSecond, async () => {
        times.length = 0;
        await runner.run(resolver('127.0.0.1'), [list]);
        assert.ok(times.length >= estimate.probes);
        assert.ok(times.length <= (estimate.mostProbes ?? 0), `${times.length} of ${estimate.mostProbes} in all`);
        return times;
      });
    });
  }
});

describe('no second of dig sends more than it estimates', { skip: await missing(dig) }, () => {
  /** Asks for a cookie, cuts its answer to the next question, and hangs up on the one by TCP. */
  async function evasiveServer() {
    let asked = 0;
    const says = [badCookie, cutAnswer];
    const { tcp, udp, port } = await bindBoth();
    udp.on('message', (packet, from) => {
      asked += 1;
      udp.send((says[asked - 1] ?? badCookie)(packet), from.port, from.address);
    });
    tcp.on('connection', (socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', () => {
        asked += 1;
        socket.end();
      });
    });
    const close = () => {
      udp.close();
      tcp.close();
    };
    return { port, asked: () => asked, close };
  }

  for (const transport of ['udp', 'tcp']) {
    it(`by ${transport}, at a server that never says anything final`, async () => {
      const runner = await loopbackRunner(dig);
      const server = await evasiveServer();
      await runner.run({ name: 'web.lab.internal', server: `127.0.0.1:${server.port}`, transport });
      await runner.close();
      server.close();
      const {
        probes,
        mostProbes = 0,
        packetsPerSecond,
      } = await estimateOf(dig, { name: 'web.lab.internal', server: ELSEWHERE });
      if (transport === 'udp') assert.ok(server.asked() > probes, 'nothing was stretched: the server is no attack');
      const least = Math.min(mostProbes, packetsPerSecond);
      assert.ok(server.asked() <= least, `${server.asked()} of ${least}`);
    });
  }
});

describe('no second of hydra guesses more than it estimates', { skip: await missing(hydra) }, () => {
  it('at a page that answers at once', async () => {
    const runner = await loopbackRunner(hydra);
    const headers = { 'WWW-Authenticate': 'Basic realm="x"' };
    const server = await httpServer((_request, response) => reply(response, 401, { headers }));
    const passwords = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const input = (host: string) => ({
      host,
      port: server.port,
      service: 'http-get',
      path: '/',
      users: ['u'],
      passwords,
    });
    const estimate = await estimateOf(hydra, input(ELSEWHERE));
    await assertHeld(estimate.packetsPerSecond, async () => {
      server.seen.length = 0;
      await runner.run(input('127.0.0.1'));
      assert.equal(server.seen.length, estimate.probes);
      return server.seen.map(({ at }) => at);
    });
    await runner.close();
    await server.close();
    const guesses = estimate.accounts?.map((account) => account.guesses);
    assert.deepEqual(guesses, [estimate.probes]);
  });

  it('at a login over one connection that answers at once and never hangs up', async () => {
    const runner = await loopbackRunner(hydra);
    const times: number[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.write('220 x\r\n');
      socket.on('data', (chunk) => {
        const isPassword = chunk.toString('latin1').startsWith('PASS');
        if (isPassword) times.push(performance.now());
        socket.write(isPassword ? '530 no\r\n' : '331 go on\r\n');
      });
    });
    const port = await listen(server);
    const passwords = Array.from({ length: 30 }, (_, index) => `p${index}`);
    const input = (host: string) => ({ host, port, service: 'ftp', users: ['u'], passwords });
    const estimate = await estimateOf(hydra, input(ELSEWHERE));
    await assertHeld(estimate.packetsPerSecond, async () => {
      times.length = 0;
      await runner.run(input('127.0.0.1'));
      assert.equal(times.length, estimate.probes);
      return times;
    });
    await runner.close();
    server.close();
  });
});

describe('no second of nmap sends more than it estimates', { skip: await missing(nmap) }, () => {
  const cases = [
    { what: 'a slow scan', more: { maxRate: 20 }, services: 40 },
    { what: 'a look for versions at services that hang up on everything', more: { version: 9 }, services: 20 },
  ];
  for (const { what, more, services } of cases) {
    it(`in ${what}`, async () => {
      const runner = await loopbackRunner(nmap);
      const times: number[] = [];
      const servers = Array.from({ length: services }, () =>
        createServer((socket) => {
          times.push(performance.now());
          socket.on('error', () => socket.destroy());
          socket.end('\u0001zzz\n');
        }),
      );
      const open = await Promise.all(servers.map(listen));
      const ports = open.join();
      const estimate = await estimateOf(nmap, { targets: [ELSEWHERE], ports, ...more });
      await assertHeld(estimate.packetsPerSecond, async () => {
        times.length = 0;
        await runner.run({ targets: ['127.0.0.1'], ports, ...more });
        assert.ok(times.length >= open.length);
        assert.ok(times.length <= (estimate.mostProbes ?? 0), `${times.length} of ${estimate.mostProbes} in all`);
        return times;
      });
      await runner.close();
      for (const server of servers) server.close();
    });
  }
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function bindBoth(): Promise<{ readonly tcp: Server; readonly udp: Socket; readonly port: number }> {
  for (;;) {
    const tcp = createServer();
    const port = await listen(tcp);
    const udp = createSocket('udp4');
    const isBound = await new Promise<boolean>((resolve) => {
      udp.once('error', () => resolve(false));
      udp.bind(port, '127.0.0.1', () => resolve(true));
    });
    if (isBound) return { tcp, udp, port };
    tcp.close();
  }
}

/** BADCOOKIE (RFC 7873): code 23 needs an OPT record, in which the server's cookie follows the client's. */
function badCookie(packet: Buffer): Buffer {
  const question = packet.subarray(12, packet.indexOf(0, 12) + 5);
  const option = packet.indexOf(Buffer.from([0, 10, 0, 8]));
  const client = option < 0 ? Buffer.alloc(8) : packet.subarray(option + 4, option + 12);
  const cookie = Buffer.concat([Buffer.from([0, 10, 0, 16]), client, Buffer.alloc(8, 7)]);
  const header = Buffer.from([packet[0] ?? 0, packet[1] ?? 0, 0x81, 0x87, 0, 1, 0, 0, 0, 0, 0, 1]);
  const opt = Buffer.from([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, cookie.length]);
  return Buffer.concat([header, question, opt, cookie]);
}

/** An answer that does not fit: ask again by TCP. */
function cutAnswer(packet: Buffer): Buffer {
  const question = packet.subarray(12, packet.indexOf(0, 12) + 5);
  const header = Buffer.from([packet[0] ?? 0, packet[1] ?? 0, 0x83, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, question]);
}
