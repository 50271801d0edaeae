import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Type } from '@sinclair/typebox';
import { createMetrics } from '../../plugins/metrics.ts';
import type { Run } from '../../schemas/run-record.ts';
import { buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createKey } from '../../src/core/auth/keys.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { LogEvent } from '../../src/core/log.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { type AnyTool, defineTool } from '../../src/core/tool/definition.ts';
import { createGateway } from '../../src/gateway.ts';
import { createLogger } from '../../src/logger.ts';
import { openDataDir } from '../../src/store/data-dir.ts';
import { openStore } from '../../src/store/store.ts';
import { sleepTool } from '../fixtures/gateway.ts';
import { LAUNCHER_PLACE } from '../fixtures/launcher-place.ts';

/** A gateway that can be stopped and started again on its data, with keys that can be revoked. */
export interface WatchedPlace {
  /** Makes a key of this name that may do everything. */
  readonly key: (name: string) => Promise<Person>;
  /** Writes an engagement; 10.0.0.0/8 and *.acme.test for everybody, but for what changes. */
  readonly put: (by: Person, id: string, changes?: object) => Promise<void>;
  /** Starts a run that holds a host for 100 s, sends nothing there, and takes the only engagement of the key. */
  readonly hold: (by: Person, host: string) => Promise<string>;
  readonly cancel: (by: Person, runId: string) => Promise<void>;
  readonly run: (by: Person, runId: string) => Promise<Run>;
  /** The run once it is in this state; fails when it is not after half a minute. */
  readonly runIn: (state: Run['state'], by: Person, runId: string) => Promise<Run>;
  readonly revoke: (who: Person) => Promise<void>;
  /** Stops it in order and starts it anew on the same data. */
  readonly restart: () => Promise<void>;
}

/** Who has a key. */
export interface Person {
  readonly keyId: string;
  readonly headers: { readonly authorization: string };
}

/** What differs from a gateway with one place for runs and the resolver of the machine. */
interface PlaceOptions {
  readonly places?: number;
  readonly yaml?: string;
}

/** Starts it; the test ends it. */
export async function startWatchedPlace(t: TestContext, options: PlaceOptions = {}): Promise<WatchedPlace> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport-watched-'));
  writeFileSync(join(dataDir, 'sallyport.yaml'), options.yaml ?? 'port: 0\n');
  let opened = await open(dataDir, options);
  t.after(async () => {
    await opened.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const ask = async (by: Person, [method, url]: readonly ['GET' | 'POST' | 'PUT', string], body?: object) => {
    const headers = { ...by.headers, prefer: 'respond-async' };
    const payload = body === undefined ? {} : { payload: body };
    const answer = await opened.app.inject({ method, url, headers, ...payload });
    assert.ok(answer.statusCode < 300, answer.body);
    return answer.json<unknown>();
  };
  const run = async (by: Person, runId: string) => (await ask(by, ['GET', `/v1/runs/${runId}`])) as Run;
  return {
    key: async (name) => {
      const { key, record } = createKey({ name, scopes: SCOPES, clock: systemClock });
      await opened.store.keys.add(record);
      return { keyId: record.id, headers: { authorization: `Bearer ${key}` } };
    },
    put: async (by, id, changes = {}) =>
      void (await ask(by, ['PUT', `/v1/engagements/${id}`], engagement(id, changes))),
    hold: async (by, host) => {
      const started = await ask(by, ['POST', '/v1/tools/hold/runs'], { input: { host } });
      return (started as { runId: string }).runId;
    },
    cancel: async (by, runId) => void (await ask(by, ['POST', `/v1/runs/${runId}/cancel`])),
    run,
    runIn: async (state, by, runId) => {
      let seen = await run(by, runId);
      for (const end = performance.now() + 30_000; seen.state !== state && performance.now() < end; await delay(20)) {
        seen = await run(by, runId);
      }
      assert.equal(seen.state, state, JSON.stringify(seen.error));
      return seen;
    },
    revoke: async ({ keyId }) => assert.ok(await opened.store.keys.revoke(keyId, Date.now())),
    restart: async () => {
      await opened.close();
      opened = await open(dataDir, options);
    },
  };
}

function engagement(id: string, changes: object): object {
  const scope = { allow: ['10.0.0.0/8', '*.acme.test'] };
  return {
    id,
    title: id,
    approver: 'j.doe',
    principals: ['*'],
    scope,
    tools: { allow: ['*'] },
    risk: 'active',
    ...changes,
  };
}

async function open(dataDir: string, { places = 1 }: PlaceOptions) {
  const tools = [holdTool(places)];
  const environment = {
    SALLYPORT_CONFIG: join(dataDir, 'sallyport.yaml'),
    SALLYPORT_DATA_DIR: dataDir,
    SALLYPORT_HEALTH_MAX_EVENT_LOOP_LAG_MS: '60000',
  };
  const load = () => loadConfig({ environment, toolNames: tools.map(({ name }) => name) });
  const redactor = createRedactor();
  const log = createLogger<LogEvent>({ level: 'info', redactor, destination: { write: () => undefined } });
  const directory = await openDataDir(dataDir);
  const store = await openStore(dataDir);
  const metrics = createMetrics();
  const gateway = await createGateway({
    loaded: load(),
    load,
    tools,
    dataDir: directory,
    store,
    ownAddresses: [],
    redactor,
    clock: systemClock,
    recorder: metrics.recorder,
    log,
    version: '0.0.0-test',
    launcher: LAUNCHER_PLACE,
    outbound: { post: async () => undefined, syslog: async () => undefined },
    outboundSecrets: {},
  });
  const app = await buildApp(gateway, { maxDescriptors: 1024, metrics, logger: log.fastifyLogger, redis: undefined });
  const close = async () => {
    for (const each of [app, gateway, store, directory]) await each.close();
  };
  return { app, store, close };
}

/** Names a host and sends it nothing. */
function holdTool(places: number): AnyTool {
  return defineTool({
    ...sleepTool,
    name: 'hold',
    title: 'Hold a host',
    description: 'Names a host and sleeps.',
    concurrency: places,
    timeoutMs: 110_000,
    input: Type.Object({ host: Type.String({ description: 'which' }) }, { additionalProperties: false }),
    targets: ({ host }) => [{ role: 'host', kind: 'host', value: host }],
    argv: () => ['100'],
    parse: () => ({ stdout: () => undefined, end: () => ({ result: { text: '' }, complete: true }) }),
    examples: [{ title: 'one', input: { host: '10.0.0.1' }, argv: ['100'] }],
  });
}
