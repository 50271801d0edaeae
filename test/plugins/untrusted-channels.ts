import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import type { Command } from '../../src/cli/command.ts';
import { diff } from '../../src/cli/diff.ts';
import { exportRun } from '../../src/cli/export.ts';
import { runs } from '../../src/cli/runs.ts';
import { show } from '../../src/cli/show.ts';
import { watch } from '../../src/cli/watch.ts';
import { EXPORT_FORMATS } from '../../src/exports/formats.ts';
import { call } from '../cli/fake-runs.ts';
import { echoTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { type HostileInput, hostileTool, inputOf, newSecrets, type Secrets } from '../fixtures/hostile-tool.ts';
import { connectLegacy, connectModern } from '../fixtures/mcp/clients.ts';

/** What one channel says, as its reader gets it before and after decoding. */
export type Collect = (scene: Scene) => Promise<string>;

/** The part of a gateway that is asked. */
export type Asked = Pick<TestGateway, 'app' | 'headers' | 'dataDir' | 'logLines'>;

/** A gateway in which everything was planted, and the runs that did it. */
export interface Scene extends Asked {
  readonly secrets: Secrets;
  /** Two ended runs of the reader, which differ in one attribute, and one that still runs. */
  readonly runIds: readonly [string, string, string];
  readonly secretRef: string;
  readonly url: () => Promise<URL>;
}

const LIMITS = ['addressPerMinute', 'principalPerMinute'].map((name) => `  ${name}: 100000\n`).join('');
const YAML = `port: 0\nrateLimit:\n${LIMITS}`;

/** A gateway with the planted secrets and no run yet; the foreign one was found by somebody else. */
export async function plant(t: TestContext): Promise<{ gateway: TestGateway; secrets: Secrets }> {
  const started = await startTestGateway(t, { tools: [hostileTool, echoTool], yaml: YAML });
  // With `runs:read:all` the foreign run would be shown as well, masked for its owner.
  const key = await started.key(SCOPES.filter((scope) => scope !== 'runs:read:all'));
  const gateway = { ...started, headers: { authorization: `Bearer ${key}` } };
  const secrets = newSecrets(key);
  const bob = { ...gateway, headers: { authorization: `Bearer ${await gateway.key(undefined, 'bob')}` } };
  const input = {
    ...inputOf({ ...secrets, given: 'nothing', found: 'nothing' }),
    passwords: [],
    keep: [secrets.foreign],
  };
  const own = await start(bob, input);
  assert.equal(own.statusCode, 200, own.body);
  assert.ok(!own.body.includes(secrets.foreign), 'its owner does not see it');
  return { gateway, secrets };
}

/** The scene of every channel: three runs of one reader. */
export async function setScene(t: TestContext): Promise<Scene & { readonly gateway: TestGateway }> {
  const { gateway, secrets } = await plant(t);
  const [first, second] = [
    await start(gateway, inputOf(secrets)),
    await start(gateway, inputOf(secrets, { variant: 1 })),
  ];
  assert.equal(first.statusCode, 200, first.body);
  const other = { method: 'POST', url: '/v1/tools/echo/runs', payload: { input: { word: 'x' } } } as const;
  await gateway.app.inject({ ...other, headers: gateway.headers });
  const { runId, result } = first.json() as { runId: string; result: { secretRefs: string[] } };
  const runIds = [runId, (second.json() as Run).runId, await startHeld(gateway, secrets)] as const;
  return { ...sceneOf(gateway, secrets), gateway, runIds, secretRef: result.secretRefs[0] ?? '' };
}

/** What channels of any gateway need. */
export function sceneOf(gateway: Asked, secrets: Secrets): Omit<Scene, 'runIds' | 'secretRef'> {
  const { app, headers, dataDir, logLines } = gateway;
  const url = async () => {
    if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 });
    return new URL(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/mcp`);
  };
  return { app, headers, dataDir, logLines, secrets, url };
}

/** Starts the hostile tool. */
export function start({ app, headers }: Pick<Asked, 'app' | 'headers'>, input: HostileInput, more: object = {}) {
  const url = '/v1/tools/hostile/runs';
  return app.inject({ method: 'POST', url, headers: { ...headers, ...more }, payload: { input } });
}

/** A run that has written everything and goes on. */
export async function startHeld(gateway: Pick<Asked, 'app' | 'headers'>, secrets: Secrets): Promise<string> {
  const begun = await start(gateway, inputOf(secrets, { hold: 1 }), { prefer: 'respond-async' });
  assert.equal(begun.statusCode, 202, begun.body);
  const { runId } = begun.json() as Run;
  for (;;) {
    const page = await gateway.app.inject({ url: `/v1/runs/${runId}/findings`, headers: gateway.headers });
    if ((page.json() as { findings: unknown[] }).findings.length > 0) return runId;
  }
}

/** A body and, where it is JSON, every text in it: an escape in JSON is the character itself to its reader. */
export function decoded(body: string): string {
  const lines = body.split('\n').map((line) => line.replace(/^data: /, ''));
  const texts: string[] = [];
  for (const candidate of [body, ...lines]) {
    try {
      collectTexts(JSON.parse(candidate), texts);
    } catch {
      // No JSON: it is read as it is.
    }
  }
  return [body, ...texts].join('\n');
}

function collectTexts(value: unknown, into: string[]): void {
  if (typeof value === 'string') {
    into.push(value);
    // A position in a list is opaque to its reader, who can decode it all the same.
    const [, position] = /^([\w-]{8,})\.[\w-]{22}$/.exec(value) ?? [];
    if (position !== undefined) into.push(...textsOfPosition(position));
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, child] of Object.entries(value)) {
    into.push(name);
    collectTexts(child, into);
  }
}

function textsOfPosition(position: string): readonly string[] {
  const text = Buffer.from(position, 'base64url').toString('utf8');
  return [text, Buffer.from(text.split('.').at(-1) ?? '', 'base64url').toString('utf8')];
}

const get =
  (path: (scene: Scene) => string, more: object = {}): Collect =>
  async (scene) => {
    const answer = await scene.app.inject({ url: path(scene), headers: { ...scene.headers, ...more } });
    return decoded(`${JSON.stringify(answer.headers)}\n${answer.body}`);
  };
const ofRun = (part: string) => get(({ runIds: [runId] }) => `/v1/runs/${runId}${part}`);
const post =
  (input: (secrets: Secrets) => HostileInput, more: object = {}): Collect =>
  async (scene) =>
    decoded((await start(scene, input(scene.secrets), more)).body);
const cli =
  (command: Command, args: (scene: Scene) => readonly string[]): Collect =>
  async (scene) => {
    const { origin } = await scene.url();
    writeFileSync(join(scene.dataDir, 'address'), `${origin}\n`);
    writeFileSync(join(scene.dataDir, 'first-key'), scene.secrets.key, { mode: 0o600 });
    const environment = { SALLYPORT_DATA_DIR: scene.dataDir };
    const { stdout, stderr, drawn } = await call(command, args(scene), { environment, cwd: scene.dataDir });
    return [stdout, stderr, ...drawn].join('\n');
  };

/** REST: at least one entry for each route, whose name begins with the row of the access table. */
const REST: Readonly<Record<string, Collect>> = {
  'GET /health/live': get(() => '/health/live'),
  'GET /health/ready': get(() => '/health/ready'),
  'GET /health': get(() => '/health'),
  'GET /metrics': get(() => '/metrics'),
  'GET /openapi.json': get(() => '/openapi.json'),
  'GET /docs*': get(() => '/docs'),
  'GET /v1/tools': get(() => '/v1/tools'),
  'GET /v1/tools/:name': get(() => '/v1/tools/hostile'),
  'POST /v1/tools/:name/runs (200)': post((secrets) => inputOf(secrets, { pad: 1_048_576 })),
  'POST /v1/tools/:name/runs (202)': post((secrets) => inputOf(secrets), { prefer: 'respond-async' }),
  'POST /v1/tools/:name/runs (failed)': post((secrets) => inputOf(secrets, { exit: 3 })),
  'POST /v1/tools/:name/runs (timed out)': async (scene) => {
    const payload = { input: inputOf(scene.secrets, { hold: 1 }), run: { timeoutMs: 1000 } };
    const url = '/v1/tools/hostile/runs';
    return decoded((await scene.app.inject({ method: 'POST', url, headers: scene.headers, payload })).body);
  },
  'POST /v1/tools/:name/runs (refused)': post((secrets) => ({ ...inputOf(secrets), hex: secrets.given, pad: -1 })),
  'GET /v1/runs': get(() => '/v1/runs'),
  'GET /v1/runs/:id': ofRun(''),
  'GET /v1/runs/:id/result': ofRun('/result'),
  'GET /v1/runs/:id/events': ofRun('/events'),
  'GET /v1/runs/:id/events (resumed)': async (scene) => {
    const [runId] = scene.runIds;
    return get(() => `/v1/runs/${runId}/events`, { 'last-event-id': `${runId}:1` })(scene);
  },
  'GET /v1/runs/:id/output': ofRun('/output'),
  'GET /v1/runs/:id/output (stderr)': ofRun('/output?stream=stderr'),
  'GET /v1/runs/:id/output (running)': get(({ runIds }) => `/v1/runs/${runIds[2]}/output`),
  'GET /v1/runs/:id/findings': ofRun('/findings'),
  ...Object.fromEntries(
    EXPORT_FORMATS.map((format) => [`GET /v1/runs/:id/export (${format})`, ofRun(`/export?format=${format}`)]),
  ),
  'GET /v1/findings': get(() => '/v1/findings'),
  'GET /v1/diff': get(({ runIds: [from, to] }) => `/v1/diff?from=${from}&to=${to}&unchanged=true`),
  'GET /v1/diff (not looked at)': async (scene) => {
    const other = (await scene.app.inject({ url: '/v1/runs?tool=echo', headers: scene.headers })).json() as {
      runs: Run[];
    };
    return get(() => `/v1/diff?from=${scene.runIds[0]}&to=${other.runs[0]?.runId}`)(scene);
  },
  'POST /v1/tools/:name/enable': async ({ app, headers }) =>
    (await app.inject({ method: 'POST', url: '/v1/tools/hostile/enable', headers })).body,
  'POST /v1/tools/:name/disable': async ({ app, headers }) =>
    (await app.inject({ method: 'POST', url: '/v1/tools/echo/disable', headers })).body,
  'GET /v1/wordlists': get(() => '/v1/wordlists'),
  'GET /v1/stats': get(() => '/v1/stats'),
  'GET /v1/config': get(() => '/v1/config'),
  'GET /v1/secrets/:id': get(({ secretRef }) => `/v1/secrets/${secretRef}`),
  'GET /mcp': get(() => '/mcp'),
  'DELETE /mcp': async ({ app, headers }) => (await app.inject({ method: 'DELETE', url: '/mcp', headers })).body,
  'OPTIONS /mcp': async ({ app, headers }) => (await app.inject({ method: 'OPTIONS', url: '/mcp', headers })).body,
  'PATCH /mcp': async ({ app, headers }) => (await app.inject({ method: 'PATCH', url: '/mcp', headers })).body,
  'PUT /mcp': async ({ app, headers }) => (await app.inject({ method: 'PUT', url: '/mcp', headers })).body,
  'GET /v1/events': async (scene) => {
    const leaving = new AbortController();
    const { origin } = await scene.url();
    const response = await fetch(`${origin}/v1/events`, {
      headers: { ...scene.headers, 'last-event-id': '0' },
      signal: leaving.signal,
    });
    const { value } = (await response.body?.getReader().read()) ?? {};
    leaving.abort();
    return decoded(Buffer.from(value ?? []).toString('utf8'));
  },
};

/** The command line's verbs that show what a run brought. */
const CLI: Readonly<Record<string, Collect>> = {
  'cli show': cli(show, ({ runIds: [runId] }) => [runId]),
  'cli show --result': cli(show, ({ runIds: [runId] }) => [runId, '--result']),
  'cli show --findings': cli(show, ({ runIds: [runId] }) => [runId, '--findings']),
  'cli show --output': cli(show, ({ runIds: [runId] }) => [runId, '--output']),
  'cli show --stderr': cli(show, ({ runIds: [runId] }) => [runId, '--stderr']),
  'cli show --json': cli(show, ({ runIds: [runId] }) => [runId, '--json']),
  'cli runs --json': cli(runs, () => ['--json']),
  'cli watch': cli(watch, ({ runIds: [runId] }) => [runId]),
  'cli diff': cli(diff, ({ runIds: [from, to] }) => [from, to]),
  'cli export': cli(exportRun, ({ runIds: [runId] }) => [runId, '--format', 'csv']),
};

/** Both eras over MCP: the tool itself with its notifications, and every tool that follows runs. */
function mcpChannels(): Readonly<Record<string, Collect>> {
  const channels: Record<string, Collect> = {};
  for (const [era, connect] of Object.entries({ '2025-11-25': connectLegacy, '2026-07-28': connectModern })) {
    const ask =
      (name: string, args: (scene: Scene) => object, part: 'answer' | 'progress' = 'answer'): Collect =>
      async (scene) => {
        const closers: (() => Promise<void>)[] = [];
        const closing = { after: (close: () => Promise<void>) => void closers.push(close) };
        const { client } = await connect(closing, await scene.url(), { key: scene.secrets.key });
        const notes: unknown[] = [];
        const request = { name, arguments: args(scene) as Record<string, unknown> };
        const onprogress = (note: unknown) => void notes.push(note);
        const answer = await (era === '2025-11-25'
          ? (client as Awaited<ReturnType<typeof connectLegacy>>['client']).callTool(request, undefined, { onprogress })
          : (client as Awaited<ReturnType<typeof connectModern>>['client']).callTool(request, { onprogress }));
        for (const close of closers) await close();
        return decoded(JSON.stringify(part === 'answer' ? answer : notes));
      };
    const [one, two, going] = [0, 1, 2].map((at) => (scene: Scene) => ({ runId: scene.runIds[at] }));
    const whole = { run: { maxTokens: 20_000 } };
    Object.assign(channels, {
      [`POST /mcp ${era} tools/call`]: ask('hostile', ({ secrets }) => ({ ...inputOf(secrets), ...whole })),
      [`POST /mcp ${era} tools/call (small)`]: ask('hostile', ({ secrets }) => ({
        ...inputOf(secrets),
        run: { maxTokens: 500 },
      })),
      [`POST /mcp ${era} tools/call (failed)`]: ask('hostile', ({ secrets }) => ({
        ...inputOf(secrets, { exit: 3 }),
        ...whole,
      })),
      [`POST /mcp ${era} progress`]: ask('hostile', ({ secrets }) => inputOf(secrets), 'progress'),
      [`POST /mcp ${era} run_status`]: ask('run_status', (scene) => ({ ...one?.(scene), maxTokens: 20_000 })),
      [`POST /mcp ${era} run_status (running)`]: ask('run_status', (scene) => ({
        ...going?.(scene),
        maxTokens: 20_000,
      })),
      [`POST /mcp ${era} run_result`]: ask('run_result', (scene) => ({ ...one?.(scene), maxTokens: 20_000 })),
      [`POST /mcp ${era} run_findings`]: ask('run_findings', (scene) => ({ ...two?.(scene), maxTokens: 20_000 })),
      [`POST /mcp ${era} run_list`]: ask('run_list', () => ({ maxTokens: 20_000 })),
      [`POST /mcp ${era} run_cancel`]: ask('run_cancel', (scene) => ({ ...one?.(scene), maxTokens: 20_000 })),
      [`POST /mcp ${era} run_diff`]: ask('run_diff', ({ runIds: [from, to] }) => ({ from, to, maxTokens: 20_000 })),
    });
  }
  return channels;
}

/** Every channel by its name; the last ones change something, so they are asked last. */
export const CHANNELS: Readonly<Record<string, Collect>> = {
  ...REST,
  ...mcpChannels(),
  ...CLI,
  'POST /v1/runs/:id/cancel': async ({ app, headers, runIds }) =>
    decoded((await app.inject({ method: 'POST', url: `/v1/runs/${runIds[2]}/cancel`, headers })).body),
  'DELETE /v1/runs/:id': async ({ app, headers, runIds: [runId] }) =>
    decoded((await app.inject({ method: 'DELETE', url: `/v1/runs/${runId}`, headers })).body),
  log: async ({ logLines }) => decoded(logLines.join('\n')),
};
