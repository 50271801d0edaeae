import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TestGateway } from '../fixtures/gateway.ts';
import { type HostileInput, inputOf, type Secrets, STEERING } from '../fixtures/hostile-tool.ts';

/** Bodies that came to a webhook. */
export interface Hooks {
  readonly yaml: string;
  /** The first `count` bodies, once they are there. */
  readonly told: (count: number) => Promise<readonly string[]>;
}

/** What was asked of the policy before anybody reads. */
export interface PolicyScene {
  readonly hooks: Hooks;
  /** The reader's, allowed. */
  readonly planId: string;
  /** Runs of carol that wait for consent: one for good, one to be approved and one to be denied. */
  readonly waiting: readonly [string, string, string];
  /** Carol's key, who found what the reader found. */
  readonly carol: string;
}

/** A webhook on this machine, and the configuration that tells it of approvals. */
export async function receiveHooks(t: TestContext): Promise<Hooks> {
  const bodies: string[] = [];
  const waiting: { count: number; done: (bodies: readonly string[]) => void }[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(`${JSON.stringify(request.headers)}\n${Buffer.concat(chunks).toString('utf8')}`);
    response.writeHead(204).end();
    for (const { count, done } of waiting) if (bodies.length >= count) done(bodies);
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-test-'));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const secret = join(directory, 'webhook-secret');
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return {
    yaml: `approvals:\n  webhookUrls: ['${url}']\n  webhookSecretFile: '${secret}'\n`,
    told: (count) =>
      bodies.length >= count
        ? Promise.resolve(bodies)
        : new Promise((done) => void waiting.push({ count, done: (all) => done(all) })),
  };
}

/** The call that finds: what it finds is unknown when it begins, so that nothing of it stands in its arguments. */
export function unknownInput(secrets: Secrets): HostileInput {
  return inputOf({ ...secrets, given: 'nothing', found: 'nothing' }, { keep: [secrets.found] });
}

/** What an operator writes who does not look: words that are secret for everybody, and what steers a terminal. */
export function reasonOf(secrets: Secrets): string {
  return `${noteOf(secrets)}${STEERING.slice(0, 300)}`;
}

function noteOf({ key, form }: Secrets): string {
  return `key=${key};form=${form};`;
}

/** An engagement whose every free text holds secrets. */
export function notedEngagement(secrets: Secrets, id = 'noted') {
  const text = noteOf(secrets);
  const blackout = [{ from: '2020-01-01T00:00:00Z', until: '2020-01-02T00:00:00Z', reason: text }];
  return { ...engagementOf(id), title: text, approver: text, window: { blackout } };
}

function engagementOf(id: string) {
  return {
    id,
    title: id,
    approver: 'an operator',
    principals: ['carol'],
    scope: { allow: ['10.20.0.0/16'] },
    tools: { allow: ['hostile'] },
    risk: 'observe',
  };
}

/** The reader puts the engagements, carol's runs wait under one of them, and the reader plans. */
export async function plantPolicy(
  { app, headers, key }: Pick<TestGateway, 'app' | 'headers' | 'key'>,
  { secrets, hooks }: { readonly secrets: Secrets; readonly hooks: Hooks },
): Promise<PolicyScene> {
  const send = async (method: 'POST' | 'PUT', url: string, { payload, as = headers }: Sending) => {
    const answer = await app.inject({ method, url, headers: { ...as, prefer: 'respond-async' }, payload });
    assert.ok(answer.statusCode < 300, `${url}: ${answer.body}`);
    return answer.json() as Record<string, string>;
  };
  const carol = await key(undefined, 'carol');
  const as = { authorization: `Bearer ${carol}` };
  const { runId: first } = await send('POST', '/v1/tools/hostile/runs', {
    payload: { input: unknownInput(secrets) },
    as,
  });
  for (let ended: unknown = null; ended === null; ) {
    ended = ((await app.inject({ url: `/v1/runs/${first}`, headers: as })).json() as { endedAt: unknown }).endedAt;
  }
  const asks = { ...engagementOf('asks'), approvals: { from: 'observe' } };
  await send('PUT', '/v1/engagements/asks', { payload: asks });
  await send('PUT', '/v1/engagements/noted', { payload: notedEngagement(secrets) });
  const wait = async () => {
    const payload = { input: inputOf(secrets), run: { engagement: 'asks' } };
    return (await send('POST', '/v1/tools/hostile/runs', { payload, as }))['runId'] ?? '';
  };
  const waiting = [await wait(), await wait(), await wait()] as const;
  const reason = reasonOf(secrets);
  await send('POST', '/v1/engagements/noted/revoke', { payload: { reason } });
  await send('POST', '/v1/kill', { payload: { engagement: 'noted', reason } });
  const { planId = '' } = await send('POST', '/v1/tools/hostile/plan', { payload: { input: inputOf(secrets) } });
  return { hooks, planId, waiting, carol };
}

interface Sending {
  readonly payload: object;
  readonly as?: { readonly authorization: string };
}
