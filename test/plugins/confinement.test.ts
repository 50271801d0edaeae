import assert from 'node:assert/strict';
import { cpSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { findLauncher } from '../../src/core/execution/launcher.ts';
import type { LayerState } from '../../src/core/execution/types.ts';
import { echoTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';
import { connectModern } from '../fixtures/mcp/clients.ts';
import { call, publicDirectory, textTool } from '../issues/earlier-gateway.ts';

interface Health {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly state: string; readonly data?: object }[];
  readonly confinement: readonly LayerState[];
}

async function healthOf({ app, gateway, headers }: TestGateway) {
  await gateway.health.refresh();
  const health = (await app.inject({ url: '/health', headers })).json() as Health;
  return { ...health, check: health.checks.find(({ name }) => name === 'confinement') };
}

test('the layers, with what was tried and what was seen, are shown to holders of health:read alone', async (t) => {
  const gateway = await startTestGateway(t, { tools: [echoTool] });
  const { confinement, check } = await healthOf(gateway);
  assert.deepEqual(
    confinement.map(({ name }) => name),
    ['L0', 'L1', 'L2', 'L3', 'L4', 'L5', 'raw'],
  );
  assert.deepEqual(confinement, JSON.parse(JSON.stringify(gateway.gateway.executor.layers)));
  for (const { name, state, evidence, stopped } of confinement) {
    assert.match(state, /^(?:proved|absent|failed)$/, name);
    assert.match(evidence, /\S/, name);
    if (state === 'absent') assert.deepEqual(stopped, [], name);
  }
  const [, , native] = confinement;
  assert.equal(native?.state, 'proved', native?.evidence);
  assert.ok(native.stopped.includes('read-key'), native.stopped.join());
  assert.equal(check?.state, 'passing');
  const { app, key } = gateway;
  const other = { authorization: `Bearer ${await key(['tools:read'])}` };
  for (const headers of [{}, other]) {
    assert.deepEqual(Object.keys((await app.inject({ url: '/health', headers })).json() as object), ['status']);
  }
});

test('a layer that is switched off is absent, named on no run, and holds nothing back', async (t) => {
  const file = join(publicDirectory(t), 'not-named');
  writeFileSync(file, 'within reach', { mode: 0o644 });
  const reader = textTool('reader', 'cat', { argv: () => [file] });
  const whole = await startTestGateway(t, { tools: [reader] });
  const refused = await call(whole, 'reader', {});
  assert.equal(refused.code, 'ERR_TOOL_FAILED', refused.text);
  const proved = whole.gateway.executor.layers.filter(({ state }) => state === 'proved').map(({ name }) => name);
  const hasEgress = whole.gateway.executor.translatesNetwork({ endpoints: [] });
  const expected = proved.filter((name) => name !== 'raw' && (name !== 'L5' || hasEgress));
  assert.deepEqual(refused.run?.layers, expected);

  const yaml = 'execution: { disable: [L2, L3, L4, L5] }\n';
  const bare = await startTestGateway(t, { tools: [reader], yaml });
  const { status, run, text } = await call(bare, 'reader', {});
  assert.deepEqual([status, run?.result, run?.layers], [200, { text: 'within reach' }, ['L0', 'L1']], text);
  const { confinement } = await healthOf(bare);
  for (const name of ['L2', 'L3', 'L4', 'L5']) {
    const layer = confinement.find((each) => each.name === name);
    assert.deepEqual([layer?.state, layer?.stopped], ['absent', []]);
    assert.match(layer?.evidence ?? '', new RegExp(`execution\\.disable names ${name}`));
  }
});

test('without layers 1 and 2 the machine is bare, and says which key made it so', async (t) => {
  const yaml = 'execution: { disable: [L1, L2, L3] }\n';
  const gateway = await startTestGateway(t, { tools: [echoTool], yaml });
  const [ground, limits] = (await healthOf(gateway)).confinement;
  assert.deepEqual([ground?.state, limits?.state], ['proved', 'absent']);
  assert.match(limits?.evidence ?? '', /execution\.disable names L1/);
  assert.deepEqual((await call(gateway, 'echo', { word: 'x' })).run?.layers, ['L0']);
});

test('a program of the confinement that has gone is an error of its own until it is back, and closes no tool', async (t) => {
  const found = findLauncher(LAUNCHER_PLACE);
  if (typeof found === 'string') assert.fail(found);
  const builds = publicDirectory(t);
  const directory = join(builds, basename(found.directory));
  cpSync(found.directory, directory, { recursive: true });
  const gateway = await startTestGateway(t, { tools: [echoTool], launcher: { ...LAUNCHER_PLACE, builds } });
  const url = new URL('/mcp', await gateway.app.listen({ host: '127.0.0.1', port: 0 }));
  const { client } = await connectModern(t, url, { key: await gateway.key() });
  // Without bubblewrap the supervisor becomes the launcher itself, and the program of that name is never started.
  const hasFiles = gateway.gateway.executor.layers.some(({ name, state }) => name === 'L3' && state === 'proved');
  for (const name of hasFiles ? ['supervisor', 'launcher'] : ['supervisor']) {
    renameSync(join(directory, name), join(builds, name));
    for (let calls = 0; calls < 6; calls += 1) {
      const { status, code, run, text } = await call(gateway, 'echo', { word: 'x' });
      assert.deepEqual([status, code, run], [503, 'ERR_EXEC_HELPER_MISSING', undefined], text);
      assert.ok(!text.includes(builds), 'paths are for the log');
    }
    const answer = await client.callTool({ name: 'echo', arguments: { word: 'x' } });
    assert.equal(answer.isError, true);
    assert.match(JSON.stringify(answer.content), /ERR_EXEC_HELPER_MISSING.*Another try will not help/);
    const { status, check } = await healthOf(gateway);
    assert.deepEqual([status, check?.state, check?.data], ['degraded', 'failing', { code: 'HELPER_MISSING' }]);
    renameSync(join(builds, name), join(directory, name));
    assert.equal((await call(gateway, 'echo', { word: 'x' })).status, 200);
    assert.equal((await healthOf(gateway)).check?.state, 'passing');
  }
  assert.ok(gateway.logLines.some((line) => line.includes('supervisor cannot be executed any more')));
});
