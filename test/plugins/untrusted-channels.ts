import type { Run } from '../../schemas/run-record.ts';
import { diff } from '../../src/cli/diff.ts';
import { exportRun } from '../../src/cli/export.ts';
import { runs } from '../../src/cli/runs.ts';
import { show } from '../../src/cli/show.ts';
import { watch } from '../../src/cli/watch.ts';
import { EXPORT_FORMATS } from '../../src/exports/formats.ts';
import { type HostileInput, inputOf, type Secrets } from '../fixtures/hostile-tool.ts';
import { askOver, cli, ERAS, get } from './untrusted-collect.ts';
import { AUDIT_CHANNELS, POLICY_CHANNELS, POLICY_CHANGES } from './untrusted-policy-channels.ts';
import { type Collect, decoded, type Scene, start } from './untrusted-scene.ts';

const ofRun = (part: string) => get(({ runIds: [runId] }) => `/v1/runs/${runId}${part}`);
const post =
  (input: (secrets: Secrets) => HostileInput, more: object = {}): Collect =>
  async (scene) =>
    decoded((await start(scene, input(scene.secrets), more)).body);

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
  for (const era of ERAS) {
    const ask = askOver(era);
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
      [`POST /mcp ${era} progress`]: ask('hostile', ({ secrets }) => inputOf(secrets), { part: 'progress' }),
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
  ...POLICY_CHANNELS,
  'POST /v1/runs/:id/cancel': async ({ app, headers, runIds }) =>
    decoded((await app.inject({ method: 'POST', url: `/v1/runs/${runIds[2]}/cancel`, headers })).body),
  'DELETE /v1/runs/:id': async ({ app, headers, runIds: [runId] }) =>
    decoded((await app.inject({ method: 'DELETE', url: `/v1/runs/${runId}`, headers })).body),
  ...POLICY_CHANGES,
  // After everything that was done.
  ...AUDIT_CHANNELS,
  log: async ({ logLines }) => decoded(logLines.join('\n')),
};
