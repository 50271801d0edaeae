import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Run } from '../../schemas/run-record.ts';
import { SCOPES } from '../../src/core/auth/types.ts';
import { createOutbound } from '../../src/outbound.ts';
import { echoTool, startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { type HostileInput, hostileTool, inputOf, newSecrets, type Secrets } from '../fixtures/hostile-tool.ts';
import { type PolicyScene, plantPolicy, receiveHooks, unknownInput } from './untrusted-policy-scene.ts';

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
  /** What the policy knows of them. */
  readonly policy: PolicyScene;
}

const LIMITS = ['addressPerMinute', 'principalPerMinute'].map((name) => `  ${name}: 100000\n`).join('');
const YAML = `port: 0\nrateLimit:\n${LIMITS}`;

/** A gateway with more of a configuration. */
export interface PlantOptions {
  readonly yaml?: string;
}

/** A gateway with the planted secrets and no run yet; the foreign one was found by somebody else. */
export async function plant(
  t: TestContext,
  { yaml = '' }: PlantOptions = {},
): Promise<{ gateway: TestGateway; secrets: Secrets }> {
  const tools = [hostileTool, echoTool];
  const started = await startTestGateway(t, { tools, yaml: `${YAML}${yaml}`, outbound: createOutbound() });
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
  const hooks = await receiveHooks(t);
  const { gateway, secrets } = await plant(t, hooks);
  await start(gateway, unknownInput(secrets));
  const policy = await plantPolicy(gateway, { secrets, hooks });
  const [first, second] = [
    await start(gateway, inputOf(secrets)),
    await start(gateway, inputOf(secrets, { variant: 1 })),
  ];
  assert.equal(first.statusCode, 200, first.body);
  const other = { method: 'POST', url: '/v1/tools/echo/runs', payload: { input: { word: 'x' } } } as const;
  await gateway.app.inject({ ...other, headers: gateway.headers });
  const { runId, result } = first.json() as { runId: string; result: { secretRefs: string[] } };
  const runIds = [runId, (second.json() as Run).runId, await startHeld(gateway, secrets)] as const;
  return { ...sceneOf(gateway, secrets), gateway, runIds, policy, secretRef: result.secretRefs[0] ?? '' };
}

/** What channels of any gateway need. */
export function sceneOf(gateway: Asked, secrets: Secrets): Omit<Scene, 'runIds' | 'secretRef' | 'policy'> {
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
