import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import gobuster from '../../src/tools/gobuster/index.ts';
import { closedPort, httpServer, reply } from './http-server.ts';
import { loopbackRunner, missing } from './loopback-run.ts';
import { prepare, registered } from './under-test.ts';

const TOOL = registered(gobuster);
const DIR = { mode: 'dir', url: { scheme: 'http', host: '10.77.0.10' }, wordlist: 'dirb/common.txt' };
const DNS = { mode: 'dns', domain: 'lab.internal', wordlist: 'dirb/common.txt' };
const GZIP = 'Content-Encoding: gzip\r\nContent-Length: 8';
const refused = (input: Record<string, unknown>, code: string, resolves = {}) =>
  assert.rejects(prepare(TOOL, input, { resolves }), { code });
const raisesOf = (input: Record<string, unknown>) => gobuster.raises?.(TOOL.validate(input, undefined).input) ?? [];

suite('gobuster input', () => {
  test('properties of the other mode are refused', async () => {
    await refused({ mode: 'dir', wordlist: 'a/b' }, 'ERR_INPUT_INVALID');
    await refused({ ...DIR, domain: 'lab.internal' }, 'ERR_INPUT_INVALID');
    await refused({ ...DIR, resolver: '10.77.0.10' }, 'ERR_INPUT_INVALID');
    await refused({ ...DNS, url: DIR.url }, 'ERR_INPUT_INVALID');
    await refused({ ...DNS, extensions: ['php'] }, 'ERR_INPUT_INVALID');
    await refused({ ...DIR, url: { ...DIR.url, path: '/?x=' } }, 'ERR_INPUT_INVALID');
    await refused({ ...DIR, url: { ...DIR.url, path: '/%zz/' } }, 'ERR_INPUT_INVALID');
  });

  test('D17: a word list is a name, never a path', async () => {
    for (const wordlist of ['/etc/passwd', '../etc/passwd', 'dirb/../../etc/passwd', '-', 'dirb/.env', 'common.txt']) {
      await refused({ ...DIR, wordlist }, 'ERR_INPUT_INVALID');
    }
  });

  test('D3: the only target is the one that the policy sees', async () => {
    await refused({ ...DIR, url: { scheme: 'http', host: '93.184.216.34' } }, 'ERR_TARGET_OUT_OF_SCOPE');
    await refused({ ...DNS, domain: 'example.com' }, 'ERR_TARGET_OUT_OF_SCOPE');
    await refused({ ...DNS, resolver: '8.8.8.8' }, 'ERR_TARGET_OUT_OF_SCOPE');
    await refused({ ...DIR, proxy: 'http://10.0.0.1:3128' }, 'ERR_INPUT_INVALID');
    await refused({ ...DIR, followRedirect: true }, 'ERR_INPUT_INVALID');
  });

  test('an https URL by name cannot be pinned, by address it can', async () => {
    const byName = { ...DIR, url: { scheme: 'https', host: 'web.lab.internal' } };
    await refused(byName, 'ERR_TARGET_UNPINNABLE', { 'web.lab.internal': '10.77.0.10' });
    const { argv } = await prepare(TOOL, { ...DIR, url: { scheme: 'https', host: '10.77.0.10' } });
    assert.ok(argv.includes('-u=https://10.77.0.10:443/'));
  });

  test('the default rate is at most 20 requests per second, and more than that is intrusive', () => {
    for (const threads of [1, 7, 20]) {
      assert.deepEqual(raisesOf({ ...DIR, threads }), []);
      assert.deepEqual(raisesOf({ ...DNS, threads }), []);
    }
    assert.deepEqual(raisesOf({ ...DIR, threads: 10, delayMs: 500 }), []);
    assert.equal(raisesOf({ ...DIR, threads: 10, delayMs: 499 })[0]?.risk, 'intrusive');
    assert.equal(raisesOf({ ...DNS, threads: 10, delayMs: 500 })[0]?.risk, 'intrusive');
    assert.equal(raisesOf({ ...DIR, threads: 1, delayMs: 0 })[0]?.risk, 'intrusive');
  });
});

const skip = await missing(gobuster);

suite('gobuster on loopback', { skip }, async () => {
  if (skip !== false) return;
  const lists = await mkdtemp(join(tmpdir(), 'sallyport-lists-'));
  const list = join(lists, 'words.txt');
  await writeFile(list, 'admin\nmoved\nwww\nnope\n');
  const runner = await loopbackRunner(gobuster, { 'web.lab.internal': '127.0.0.1' });
  after(async () => {
    await runner.close();
    await rm(lists, { recursive: true });
  });
  const dir = (port: number, more = {}) =>
    runner.run({ ...DIR, url: { scheme: 'http', host: '127.0.0.1', port }, delayMs: 0, ...more }, [list]);

  test('finds paths by name at the pinned address and follows no redirect', async () => {
    const elsewhere = await httpServer((_request, response) => reply(response, 200), '127.0.0.2');
    const server = await httpServer(({ url }, response) => {
      if (url === '/admin') reply(response, 200, { body: 'hello' });
      else if (url === '/moved') reply(response, 302, { headers: { location: `http://127.0.0.2:${elsewhere.port}/` } });
      else reply(response, 404);
    });
    const { outcome, execution } = await dir(server.port, {
      url: { scheme: 'http', host: 'web.lab.internal', port: server.port },
    });
    await Promise.all([server.close(), elsewhere.close()]);
    assert.equal(outcome.failure, undefined);
    assert.equal(outcome.complete, true);
    const paths = outcome.result['paths'] as { path: string; status: number }[];
    assert.deepEqual(paths.map(({ path, status }) => `${path} ${status}`).sort(), ['/admin 200', '/moved 302']);
    assert.ok(server.seen.every(({ host }) => host === `web.lab.internal:${server.port}`));
    assert.equal(elsewhere.seen.length, 0);
    assert.ok(execution.layers.includes('L0'));
  });

  test('a server that closes connections on the way leaves an incomplete answer', async () => {
    const server = await httpServer(({ url }, response) => {
      if (url === '/www') response.destroy();
      else reply(response, 404);
    });
    const { outcome } = await dir(server.port);
    await server.close();
    assert.equal(outcome.complete, false);
    assert.equal(outcome.result['failedRequests'], 1);
  });

  for (const [how, answer] of [
    ['closes', (socket: Socket) => void socket.end()],
    ['speaks nonsense', (socket: Socket) => void socket.end('SSH-2.0-x\r\n')],
    ['breaks its encoding', (socket: Socket) => void socket.end(`HTTP/1.1 200 OK\r\n${GZIP}\r\n\r\nnot gzip`)],
  ] as const) {
    test(`a server that ${how} fails the call and does not count against the tool`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => answer(socket));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { outcome } = await dir((server.address() as AddressInfo).port);
      server.close();
      assert.deepEqual([outcome.complete, outcome.trips], [false, undefined]);
      assert.ok(outcome.failure !== undefined);
    });
  }

  test('an empty server, a soft 404 and a closed port are three different answers', async () => {
    const empty = await httpServer((_request, response) => reply(response, 404));
    const soft = await httpServer((_request, response) => reply(response, 200, { body: 'always' }));
    const [nothing, alike, closed] = [await dir(empty.port), await dir(soft.port), await dir(await closedPort())];
    await Promise.all([empty.close(), soft.close()]);
    assert.deepEqual([nothing.outcome.complete, nothing.outcome.failure], [true, undefined]);
    assert.match(alike.outcome.failure ?? '', /soft 404/);
    assert.match(closed.outcome.failure ?? '', /could not be reached/);
  });

  test('status codes select, and the default list of gobuster does not empty them', async () => {
    const server = await httpServer(({ url }, response) => reply(response, url === '/admin' ? 403 : 404));
    const { outcome } = await dir(server.port, { statusCodes: [403] });
    await server.close();
    assert.equal((outcome.result['paths'] as unknown[]).length, 1);
  });

  test('the delay keeps each thread below its share of the rate', async () => {
    const server = await httpServer((_request, response) => reply(response, 404));
    await dir(server.port, { threads: 1, delayMs: 100, extensions: ['php', 'bak'] });
    await server.close();
    // Two requests look at the server before the list begins; no pause follows them.
    const tried = server.seen.slice(2).map(({ at }) => at);
    assert.equal(tried.length, 12);
    assert.ok((tried.at(-1) ?? 0) - (tried[0] ?? 0) >= 11 * 95, 'extensions are not paused for');
  });

  test('asks only the given DNS server, and only for names below the domain', async () => {
    const asked = new Set<string>();
    const server = createSocket('udp4');
    server.on('message', (query, from) => {
      const { name, answer } = answerTo(query, { 'www.lab.internal': '10.77.0.10' });
      asked.add(name);
      server.send(answer, from.port, from.address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const { outcome } = await runner.run({ ...DNS, resolver: `127.0.0.1:${server.address().port}`, delayMs: 0 }, [
      list,
    ]);
    server.close();
    assert.deepEqual(outcome.result['names'], [{ name: 'www.lab.internal', addresses: ['10.77.0.10'] }]);
    assert.equal(outcome.complete, true);
    assert.ok(
      [...asked].every((name) => name === 'lab.internal' || name.endsWith('.lab.internal')),
      [...asked].join(),
    );
  });
});

/** Answers an A question from a table and everything else with no data or NXDOMAIN (RFC 1035, section 4). */
function answerTo(query: Buffer, table: Readonly<Record<string, string>>): { name: string; answer: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const name = labels.join('.').toLowerCase();
  const question = query.subarray(12, at + 5);
  const address = query.readUInt16BE(at + 1) === 1 ? table[name] : undefined;
  const code = Object.hasOwn(table, name) ? 0 : 3;
  const header = Buffer.from([0, 0, 0x84, code, 0, 1, 0, address === undefined ? 0 : 1, 0, 0, 0, 0]);
  query.copy(header, 0, 0, 2);
  const record =
    address === undefined ? [] : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)];
  return { name, answer: Buffer.concat([header, question, Buffer.from(record)]) };
}
