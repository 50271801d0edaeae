import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ServerProcess, startServer } from '../fixtures/server-process.ts';

interface Shown {
  readonly active: boolean;
  readonly switches: readonly { readonly by: string; readonly engagement: string | null }[];
}

/** The state of the kill switches as the process tells it. */
async function stateOf(server: ServerProcess): Promise<Shown> {
  return (await ask(server, '/v1/kill')) as Shown;
}

async function ask(server: ServerProcess, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${await server.ready()}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return answer.json();
}

async function killed(server: ServerProcess): Promise<Shown> {
  for (;;) {
    const shown = await stateOf(server);
    if (shown.active) return shown;
    await delay(50);
  }
}

async function endAndRestart(t: TestContext, server: ServerProcess, signal: NodeJS.Signals): Promise<ServerProcess> {
  server.child.kill(signal);
  await server.ended;
  // What was killed could not take its address away.
  rmSync(join(server.dataDir, 'address'), { force: true });
  return startServer(t, { dataDir: server.dataDir });
}

test('SIGUSR2 kills everything, ends no gateway, and stays through a restart and a crash', async (t) => {
  const first = startServer(t);
  await first.ready();
  assert.equal((await stateOf(first)).active, false);
  first.child.kill('SIGUSR2');
  const shown = await killed(first);
  assert.deepEqual(
    shown.switches.map(({ by, engagement }) => [by, engagement]),
    [['signal', null]],
  );
  const second = await endAndRestart(t, first, 'SIGTERM');
  assert.deepEqual(await stateOf(second), shown);
  const third = await endAndRestart(t, second, 'SIGKILL');
  assert.deepEqual(await stateOf(third), shown);
  const plan = await ask(third, '/v1/tools/dig/plan', { input: { name: 'a.lab.internal', server: '10.0.0.1' } });
  assert.match(JSON.stringify(plan), /ERR_KILL_SWITCH/);
  assert.equal(((await ask(third, '/v1/kill/lift', { reason: 'over' })) as Shown).active, false);
  const fourth = await endAndRestart(t, third, 'SIGKILL');
  assert.equal((await stateOf(fourth)).active, false);
});

test('a kill that was answered is there after the gateway is killed at once', async (t) => {
  const first = startServer(t);
  const report = (await ask(first, '/v1/kill', { reason: 'wrong network' })) as Shown;
  assert.equal(report.active, true);
  const second = await endAndRestart(t, first, 'SIGKILL');
  assert.deepEqual((await stateOf(second)).switches, report.switches);
});

test('a sentinel file that was left before the start kills from the first request on', async (t) => {
  const first = startServer(t);
  await first.ready();
  first.child.kill('SIGTERM');
  await first.ended;
  writeFileSync(join(first.dataDir, 'KILL'), '');
  const second = startServer(t, { dataDir: first.dataDir });
  assert.equal((await stateOf(second)).switches[0]?.by, 'file');
  const lift = (await ask(second, '/v1/kill/lift', { reason: 'over' })) as { code?: string };
  assert.equal(lift.code, 'ERR_KILL_SWITCH');
});
