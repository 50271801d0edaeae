import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { findGateway } from '../../src/cli/gateway-process.ts';
import { ended, runCli, startCli } from './command-line.ts';
import { placeFor } from './gateway-place.ts';

test('up starts a gateway that answers, says how to reach it, and a second up leaves it alone', async (t) => {
  const { dataDir, cli } = placeFor(t);
  const first = await cli('up');
  assert.equal(first.code, 0, first.stderr);
  const key = readFileSync(join(dataDir, 'first-key'), 'utf8').trim();
  const address = readFileSync(join(dataDir, 'address'), 'utf8').trim();
  const printed = JSON.parse(first.stdout.slice(first.stdout.indexOf('{'), first.stdout.lastIndexOf('}') + 1)) as {
    mcpServers: { sallyport: { url: string; headers: { Authorization: string } } };
  };
  const { url, headers } = printed.mcpServers.sallyport;
  assert.equal(url, `${address}/mcp`);
  assert.equal(headers.Authorization, `Bearer ${key}`);
  const curl = /curl -sS -H '([^']+)' (\S+)/.exec(first.stdout);
  const answer = await fetch(curl?.[2] ?? '', { headers: [curl?.[1]?.split(': ') as [string, string]] });
  assert.equal(answer.status, 200);
  assert.equal(statSync(join(dataDir, 'log')).mode & 0o777, 0o600);
  assert.equal(statSync(join(dataDir, 'first-key')).mode & 0o777, 0o600);

  const { pid } = findGateway(dataDir) ?? {};
  const second = await cli('up');
  assert.equal(second.code, 0);
  assert.match(second.stdout, /already running/);
  assert.equal(findGateway(dataDir)?.pid, pid);

  const health = await cli('status');
  assert.equal(health.code, 0, health.stderr);
  assert.match(health.stdout, /health: (?:healthy|degraded)/);
  assert.ok((await cli('logs', '--lines', '1000')).stdout.includes('gateway.started'));
  assert.ok(!(await cli('logs', '--lines', '1000')).stdout.includes(key), 'the key is in the log');

  const restarted = await cli('restart');
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.notEqual(findGateway(dataDir)?.pid, pid);

  assert.equal((await cli('stop')).code, 0);
  assert.equal(findGateway(dataDir), undefined);
  assert.equal((await cli('status')).code, 3);
  assert.equal((await cli('stop')).code, 0);
});

test('a key made while the gateway runs is accepted at once, and after its revocation no more', async (t) => {
  const { dataDir, cli } = placeFor(t);
  assert.equal((await cli('up')).code, 0);
  const address = readFileSync(join(dataDir, 'address'), 'utf8').trim();
  const made = JSON.parse((await cli('keys', 'create', 'b', '--scope', 'tools:read', '--json')).stdout) as {
    id: string;
    key: string;
  };
  const ask = async (): Promise<number> =>
    (await fetch(`${address}/v1/tools`, { headers: { authorization: `Bearer ${made.key}` } })).status;
  assert.equal(await ask(), 200);
  assert.equal((await cli('keys', 'revoke', made.id)).code, 0);
  assert.equal(await ask(), 401);
});

test('up says in one sentence that its port is in use, and starts nothing', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { dataDir, cli } = placeFor(t, String((taken.address() as { port: number }).port));
  const { code, stderr } = await cli('up');
  assert.equal(code, 1);
  assert.match(stderr, /^sallyport: port: \d+ is in use .*\n$/);
  assert.ok(!existsSync(join(dataDir, 'log')));
});

test('a gateway that dies at its start is told with the end of its log, not with that of an earlier life', async (t) => {
  const { dataDir, environment } = placeFor(t);
  mkdirSync(dataDir, { mode: 0o700 });
  writeFileSync(join(dataDir, 'log'), 'a line of an earlier life\n');
  writeFileSync(join(dataDir, 'weak'), 'changeme', { mode: 0o600 });
  const weak = { ...environment, SALLYPORT_BOOTSTRAP_KEY_FILE: join(dataDir, 'weak') };
  const { code, stderr } = await runCli(['up'], { environment: weak });
  assert.equal(code, 1);
  assert.match(stderr, /bootstrapKeyFile/);
  assert.doesNotMatch(stderr, /earlier life/);
});

test('up and restart refuse a configuration at fault, with every fault, and restart leaves the gateway running', async (t) => {
  const { dataDir, environment, cli } = placeFor(t);
  assert.equal((await cli('up')).code, 0);
  const { pid } = findGateway(dataDir) ?? {};
  const broken = { ...environment, SALLYPORT_POLICY_RISK: 'x', SALLYPORT_BODY_LIMIT_BYTES: '1' };
  for (const verb of ['up', 'restart']) {
    const { code, stderr } = await runCli([verb], { environment: broken });
    assert.equal(code, 1);
    assert.match(stderr, /POLICY_RISK/);
    assert.match(stderr, /BODY_LIMIT_BYTES/);
  }
  assert.equal(findGateway(dataDir)?.pid, pid);
  // Whoever broke the configuration can still stop it.
  assert.equal((await runCli(['stop'], { environment: broken })).code, 0);
  assert.equal(findGateway(dataDir), undefined);
});

test('stop does not signal a process that got the pid of a gateway that is gone', async (t) => {
  const { dataDir, cli } = placeFor(t);
  assert.equal((await cli('up')).code, 0);
  const lock = join(dataDir, 'pid');
  const holder = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
  assert.equal((await cli('stop')).code, 0);
  const stranger = startCli(['logs', '--follow'], { environment: { SALLYPORT_DATA_DIR: dataDir } });
  const end = ended(stranger);
  writeFileSync(lock, JSON.stringify({ ...holder, pid: stranger.pid }));
  const stopped = await cli('stop');
  assert.equal(stopped.code, 0);
  assert.match(stopped.stdout, /not running/);
  assert.equal(stranger.exitCode, null);
  stranger.kill('SIGINT');
  assert.equal((await end).code, 0);
});

test('up --foreground is the gateway itself and ends in order at SIGTERM', async (t) => {
  const { dataDir, environment } = placeFor(t);
  const child = startCli(['up', '--foreground', '--no-install'], { environment });
  const end = ended(child);
  await new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => chunk.includes('gateway.started') && resolve());
    child.once('exit', () => resolve());
  });
  assert.equal(findGateway(dataDir)?.pid, child.pid);
  child.kill('SIGTERM');
  assert.equal((await end).code, 0);
});
