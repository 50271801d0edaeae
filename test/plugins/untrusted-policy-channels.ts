import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { approvals } from '../../src/cli/approvals.ts';
import { audit } from '../../src/cli/audit.ts';
import { engagements } from '../../src/cli/engagements.ts';
import { kill } from '../../src/cli/kill.ts';
import { plan } from '../../src/cli/plan.ts';
import { AUDIT_FORMATS } from '../../schemas/audit-query.ts';
import { inputOf, SECRETS, type Secrets, STEERING } from '../fixtures/hostile-tool.ts';
import { type Asking, askOver, cli, ERAS, get, request } from './untrusted-collect.ts';
import { notedEngagement, reasonOf } from './untrusted-policy-scene.ts';
import { type Collect, decoded, type Scene } from './untrusted-scene.ts';

/** A call whose target is no target: its refusal quotes the beginning of what was sent, so each secret comes alone. */
export function refusedInputs(secrets: Secrets): readonly object[] {
  return SECRETS.map((name) => inputOf(secrets, { host: `${name}=${secrets[name]}; ${STEERING}` }));
}

const asks =
  (asking: (scene: Scene) => Asking): Collect =>
  (scene) =>
    request(scene, asking(scene));
const refused =
  (what: 'plan' | 'runs'): Collect =>
  async (scene) => {
    const texts: string[] = [];
    for (const input of refusedInputs(scene.secrets)) {
      texts.push(await request(scene, { method: 'POST', url: `/v1/tools/hostile/${what}`, payload: { input } }));
    }
    return texts.join('\n');
  };
const asCarol = ({ policy: { carol } }: Scene) => ({ authorization: `Bearer ${carol}` });
const decides =
  (verb: 'approve' | 'deny', at: 1 | 2): Collect =>
  async (scene) => {
    const runId = scene.policy.waiting[at];
    const { app, headers } = scene;
    const { digest } = (await app.inject({ url: `/v1/approvals/${runId}`, headers })).json() as { digest: string };
    const payload = { digest, reason: reasonOf(scene.secrets) };
    return request(scene, { method: 'POST', url: `/v1/approvals/${runId}/${verb}`, payload });
  };
const changes = (method: 'POST' | 'PUT' | 'DELETE', path: string, payload?: (secrets: Secrets) => object) =>
  asks(({ secrets }) => ({ method, url: path, ...(payload === undefined ? {} : { payload: payload(secrets) }) }));
const says = (secrets: Secrets) => ({ reason: reasonOf(secrets) });

/** What reads the policy. */
export const POLICY_CHANNELS: Readonly<Record<string, Collect>> = {
  'POST /v1/tools/:name/plan': asks(({ secrets }) => ({
    method: 'POST',
    url: '/v1/tools/hostile/plan',
    payload: { input: inputOf(secrets) },
  })),
  'POST /v1/tools/:name/plan (refused)': refused('plan'),
  'POST /v1/tools/:name/plan (invalid)': asks(({ secrets }) => ({
    method: 'POST',
    url: '/v1/tools/hostile/plan',
    payload: { input: { ...inputOf(secrets), hex: secrets.given, pad: -1 } },
  })),
  'POST /v1/tools/:name/runs (out of scope)': refused('runs'),
  'POST /v1/tools/:name/runs (awaits)': asks((scene) => ({
    method: 'POST',
    url: '/v1/tools/hostile/runs',
    headers: { ...asCarol(scene), prefer: 'respond-async' },
    payload: { input: inputOf(scene.secrets), run: { engagement: 'asks' } },
  })),
  'GET /v1/plans/:id': get(({ policy }) => `/v1/plans/${policy.planId}`),
  'GET /v1/scope': asks((scene) => ({ url: '/v1/scope', headers: asCarol(scene) })),
  'GET /v1/approvals': get(() => '/v1/approvals'),
  'GET /v1/approvals/:id': get(({ policy }) => `/v1/approvals/${policy.waiting[0]}`),
  'GET /v1/engagements': get(() => '/v1/engagements'),
  'GET /v1/engagements/:id': get(() => '/v1/engagements/noted'),
  'GET /v1/engagements/:id/versions': get(() => '/v1/engagements/noted/versions'),
  'GET /v1/kill': get(() => '/v1/kill'),
  'cli plan': cli(plan, ({ secrets }) => ['hostile', '--input', JSON.stringify(inputOf(secrets))]),
  'cli approvals': cli(approvals, () => []),
  'cli approvals show': cli(approvals, ({ policy }) => ['show', policy.waiting[0]]),
  'cli engagements': cli(engagements, () => []),
  'cli engagements show': cli(engagements, () => ['show', 'noted']),
  'cli kill --state': cli(kill, () => ['--state']),
  ...Object.fromEntries(ERAS.flatMap((era) => Object.entries(overMcp(era)))),
};

function overMcp(era: (typeof ERAS)[number]): Readonly<Record<string, Collect>> {
  const ask = askOver(era);
  const planned = { tool: 'hostile', maxTokens: 20_000 };
  return {
    [`POST /mcp ${era} plan`]: ask('plan', ({ secrets }) => ({ ...planned, input: inputOf(secrets) })),
    [`POST /mcp ${era} plan (refused)`]: async (scene) => {
      const texts: string[] = [];
      for (const input of refusedInputs(scene.secrets)) {
        texts.push(await ask('plan', () => ({ ...planned, input }))(scene));
      }
      return texts.join('\n');
    },
    [`POST /mcp ${era} scope`]: ask('scope', () => ({ maxTokens: 20_000 }), { key: ({ policy }) => policy.carol }),
    [`POST /mcp ${era} tools/call (awaits)`]: ask(
      'hostile',
      ({ secrets }) => ({ ...inputOf(secrets), run: { engagement: 'asks', maxTokens: 20_000 } }),
      { key: ({ policy }) => policy.carol },
    ),
  };
}

/** What changes the policy. */
export const POLICY_CHANGES: Readonly<Record<string, Collect>> = {
  'POST /v1/approvals/:id/approve': decides('approve', 1),
  'POST /v1/approvals/:id/deny': decides('deny', 2),
  'PUT /v1/engagements/:id': changes('PUT', '/v1/engagements/noted2', (secrets) => notedEngagement(secrets, 'noted2')),
  'POST /v1/engagements/:id/reinstate': changes('POST', '/v1/engagements/noted/reinstate', says),
  'POST /v1/engagements/:id/revoke': changes('POST', '/v1/engagements/noted/revoke', says),
  'POST /v1/kill/lift': changes('POST', '/v1/kill/lift', (secrets) => ({ engagement: 'noted', ...says(secrets) })),
  'POST /v1/kill': changes('POST', '/v1/kill', (secrets) => ({ engagement: 'noted', ...says(secrets) })),
  'DELETE /v1/engagements/:id': asks(({ secrets }) => ({
    method: 'DELETE',
    url: `/v1/engagements/noted2?reason=${encodeURIComponent(reasonOf(secrets))}`,
  })),
};

/** The record of all of it, and what left the process. */
export const AUDIT_CHANNELS: Readonly<Record<string, Collect>> = {
  'GET /v1/audit': get(() => '/v1/audit?limit=1000'),
  ...Object.fromEntries(
    AUDIT_FORMATS.map((format) => [`GET /v1/audit/export (${format})`, get(() => `/v1/audit/export?format=${format}`)]),
  ),
  'GET /v1/audit/key': get(() => '/v1/audit/key'),
  'audit file': async ({ dataDir }) => {
    const files = globSync('**/*.jsonl', { cwd: dataDir });
    return decoded(files.map((file) => readFileSync(join(dataDir, file), 'utf8')).join('\n'));
  },
  'cli audit tail': cli(audit, () => ['tail', '--lines', '1000']),
  'cli audit tail --json': cli(audit, () => ['tail', '--lines', '1000', '--json']),
  'cli audit export': cli(audit, () => ['export', '--format', 'ocsf']),
  'cli audit verify': async (scene) => {
    const text = await cli(audit, () => ['verify', '--json'])(scene);
    assert.match(text, /"ok": ?true/, text);
    return text;
  },
  // Five requests of consent are told, and the ends of two.
  webhooks: async ({ policy }) => decoded((await policy.hooks.told(7)).join('\n')),
};
