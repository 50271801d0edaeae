/*
 * What a run found stands in kept output, results and findings for as long as they are kept. A gateway that starts again
 * and has forgotten what is secret would show all of it to whoever may read, and in every export.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createMetrics } from '../../plugins/metrics.ts';
import { buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { LogEvent } from '../../src/core/log.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { createGateway } from '../../src/gateway.ts';
import { createLogger } from '../../src/logger.ts';
import { openDataDir } from '../../src/store/data-dir.ts';
import { openStore } from '../../src/store/store.ts';
import { echoTool, type TestGateway } from '../fixtures/gateway.ts';
import { hostileTool, inputOf, SECRETS, spellingsOf } from '../fixtures/hostile-tool.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';
import { CHANNELS } from './untrusted-channels.ts';
import { plantPolicy, receiveHooks, unknownInput } from './untrusted-policy-scene.ts';
import { type Asked, plant, type Scene, sceneOf, start } from './untrusted-scene.ts';

const tools = [hostileTool, echoTool];

/** Another gateway on a copy of what an ended one left; nothing of its memory is there. */
async function nextLife(t: TestContext, { dataDir: left, headers }: TestGateway): Promise<Asked> {
  const dataDir = join(mkdtempSync(join(tmpdir(), 'sallyport-test-')), 'data');
  // The lock is of the process, which goes on here.
  cpSync(left, dataDir, { recursive: true, filter: (path) => basename(path) !== 'pid' });
  const closers: (() => unknown)[] = [() => rmSync(join(dataDir, '..'), { recursive: true, force: true })];
  t.after(async () => {
    for (const close of closers.toReversed()) await close();
  });
  const environment = { SALLYPORT_CONFIG: join(dataDir, 'sallyport.yaml'), SALLYPORT_DATA_DIR: dataDir };
  const load = () => loadConfig({ environment, toolNames: tools.map(({ name }) => name) });
  const logLines: string[] = [];
  const redactor = createRedactor();
  const destination = { write: (line: string) => void logLines.push(line) };
  const log = createLogger<LogEvent>({ level: 'info', redactor, destination });
  const directory = await openDataDir(dataDir);
  closers.push(() => directory.close());
  const store = await openStore(dataDir);
  closers.push(() => store.close());
  const metrics = createMetrics();
  const common = { loaded: load(), load, tools, dataDir: directory, store, ownAddresses: [], redactor, log };
  const more = {
    clock: systemClock,
    recorder: metrics.recorder,
    version: '0.0.0-test',
    launcher: LAUNCHER_PLACE,
    outbound: { post: async () => undefined, syslog: async () => undefined },
    outboundSecrets: {},
  };
  const gateway = await createGateway({ ...common, ...more });
  closers.push(() => gateway.close());
  const app = await buildApp(gateway, { maxDescriptors: 1024, metrics, logger: log.fastifyLogger, redis: undefined });
  closers.push(() => app.close());
  return { app, headers, dataDir, logLines };
}

/** Everything that reads runs and what the policy knows of them, and none of what makes or changes them. */
const READS = Object.entries(CHANNELS).filter(
  ([name]) =>
    /\/runs|findings|diff|cli|run_|plan|scope|approvals|engagements|kill|audit/.test(name) &&
    !/^(DELETE|PUT|POST \/v1)|running|cancel/.test(name),
);

test('after a restart every channel masks what was found, given and known, and shows what others found', async (t) => {
  const hooks = await receiveHooks(t);
  const { gateway, secrets } = await plant(t, hooks);
  await start(gateway, unknownInput(secrets));
  const policy = await plantPolicy(gateway, { secrets, hooks });
  const ids: string[] = [];
  for (const variant of [0, 1]) {
    const answer = await start(gateway, inputOf(secrets, { variant }));
    assert.equal(answer.statusCode, 200, answer.body);
    ids.push((answer.json() as { runId: string }).runId);
  }
  const other = { method: 'POST', url: '/v1/tools/echo/runs', payload: { input: { word: 'x' } } } as const;
  await gateway.app.inject({ ...other, headers: gateway.headers });
  await gateway.app.close();
  await gateway.gateway.close();

  const next = await nextLife(t, gateway);
  const [first = '', second = ''] = ids;
  const scene: Scene = { ...sceneOf(next, secrets), runIds: [first, second, first], policy, secretRef: '' };
  assert.ok(READS.length > 50, String(READS.length));
  let foreign = 0;
  for (const [channel, collect] of READS) {
    const text = await collect(scene);
    for (const name of SECRETS.filter((each) => each !== 'foreign')) {
      const searched = name === 'form' ? [secrets.form] : spellingsOf(secrets[name]);
      assert.ok(!searched.some((spelling) => text.includes(spelling)), `${channel}: ${name}`);
    }
    if (!text.includes('given=[redacted]')) continue;
    assert.ok(text.includes(secrets.foreign), `${channel}: what somebody else found`);
    foreign += 1;
  }
  assert.ok(foreign > 30, String(foreign));
});
