import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startTestGateway } from '../fixtures/gateway.ts';

const PROGRAM = '/usr/bin/redis-server';
const skip = existsSync(PROGRAM) ? false : 'redis-server is missing (apt-get install redis-server)';

/** A real Redis on a socket file of its own; `stop` ends it. */
async function startRedis(t: TestContext): Promise<{ connect: () => Redis; stop: () => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-redis-'));
  const socket = join(directory, 'redis.sock');
  const child = spawn(PROGRAM, ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', directory], {
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  const clients: Redis[] = [];
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(async () => {
    for (const client of clients) client.disconnect();
    await stop();
    rmSync(directory, { recursive: true, force: true });
  });
  while (!existsSync(socket)) await delay(10);
  const connect = () => {
    const client = new Redis(socket, { connectTimeout: 500, maxRetriesPerRequest: 1 });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  return { connect, stop };
}

test('two gateways with one Redis count together, and without it nothing is let through', { skip }, async (t) => {
  const redis = await startRedis(t);
  const yaml = 'rateLimit: { addressPerMinute: 3 }\n';
  const one = await startTestGateway(t, { yaml, redis: redis.connect() });
  const two = await startTestGateway(t, { yaml, redis: redis.connect() });
  const ask = async ({ app, headers }: typeof one) => (await app.inject({ url: '/v1/tools', headers })).statusCode;
  assert.deepEqual([await ask(one), await ask(two), await ask(one)], [200, 200, 200]);
  assert.deepEqual([await ask(one), await ask(two)], [429, 429]);
  await redis.stop();
  const refused = await one.app.inject({ url: '/v1/tools', headers: one.headers });
  assert.equal(refused.statusCode, 503);
  assert.equal((refused.json() as { code: string }).code, 'ERR_STORE_UNAVAILABLE');
  assert.equal((await one.app.inject({ url: '/health/live' })).statusCode, 200);
});
