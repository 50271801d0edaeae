import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { EngagementDocument } from '../../schemas/engagement.ts';
import type { FindingPage } from '../../schemas/finding.ts';
import type { Run, RunPage } from '../../schemas/run-record.ts';
import { SCOPES, type Scope } from '../../src/core/auth/types.ts';
import { startTestGateway, type TestGateway } from '../fixtures/gateway.ts';
import { headersOf, INITIALIZE, messagesOf, modern, post } from '../fixtures/mcp/clients.ts';
import { markTool } from './mark-tool.ts';

/** What one tenant has that another must neither see nor use. */
export interface Belongings {
  readonly runId: string;
  readonly otherRunId: string;
  /** A run that waits for people. */
  readonly waitingId: string;
  readonly digest: string;
  readonly planId: string;
  readonly secretRef: string;
  readonly findingId: string;
  readonly engagement: string;
  readonly runsCursor: string;
  readonly findingsCursor: string;
  readonly ofRunCursor: string;
  readonly diffCursor: string;
  readonly eventId: string;
  readonly idempotencyKey: string;
  readonly session: string;
  readonly requestState: string;
}

/** A gateway with two tenants; the first one has done everything that can be done. */
export interface World {
  readonly gateway: TestGateway;
  readonly url: URL;
  readonly owner: string;
  readonly stranger: string;
  /** Everything of the owner by its name. */
  readonly things: Belongings;
  /** Things of the same form that nobody has. */
  readonly nobodys: Belongings;
  /** Texts that no answer to the stranger may hold: ids, names, targets, words, secrets of the owner. */
  readonly traces: Readonly<Record<string, string>>;
  /** What only the owner may ever hold, whatever scopes a reader has. */
  readonly credentials: Readonly<Record<string, string>>;
}

const YAML = [
  'port: 0',
  'rateLimit: { addressPerMinute: 100000, principalPerMinute: 100000, authFailuresPerMinute: 1000 }',
  'health: { maxEventLoopLagMs: 60000 }',
].join('\n');

/** Every scope but those that open what belongs to others. */
export const TENANT_SCOPES: readonly Scope[] = SCOPES.filter((scope) => !scope.endsWith(':all'));

const OWNER = 'amethyst';
const HOST = '10.66.77.13';
const WORD = 'wordofamethyst';
const SECRET = 'secretofamethyst';

/** Where what has to be closed is left. */
export interface Ending {
  readonly after: (close: () => void | Promise<void>) => void;
}

/** Starts it and lets the first tenant act. */
export async function makeWorld(t: Ending): Promise<World> {
  const gateway = await startTestGateway(t as TestContext, { tools: [markTool], yaml: YAML });
  await gateway.app.listen({ host: '127.0.0.1', port: 0 });
  const url = new URL(`http://127.0.0.1:${(gateway.app.server.address() as AddressInfo).port}/mcp`);
  for (const document of ENGAGEMENTS) await put(gateway, document);
  const owner = await gateway.key(TENANT_SCOPES, OWNER);
  const stranger = await gateway.key(TENANT_SCOPES, 'basalt');
  const tenant = { gateway, url, key: owner };
  const { things, principal } = await act(tenant);
  const { idempotencyKey, session, requestState, ...ids } = things;
  const credentials = {
    secret: SECRET,
    idempotencyKey,
    session,
    requestState,
    key: owner,
    secretRef: things.secretRef,
  };
  return {
    gateway,
    url,
    owner,
    stranger,
    things,
    nobodys: nobodysOf(things),
    traces: { ...ids, ...credentials, principal, name: OWNER, host: HOST, word: WORD },
    credentials,
  };
}

const base: Pick<EngagementDocument, 'approver' | 'scope' | 'tools' | 'risk'> = {
  approver: 'the board',
  scope: { allow: ['10.66.0.0/16'] },
  tools: { allow: ['*'] },
  risk: 'exploit',
};
const ENGAGEMENTS: readonly EngagementDocument[] = [
  { ...base, id: `${OWNER}-plain`, title: `${OWNER} plain`, principals: [OWNER] },
  {
    ...base,
    id: `${OWNER}-asking`,
    title: `${OWNER} asking`,
    principals: [OWNER],
    approvals: { from: 'observe', approvers: ['somebody-else'] },
  },
  { ...base, id: 'basalt-plain', title: 'basalt', principals: ['basalt'], scope: { allow: ['10.99.0.0/16'] } },
];

async function put({ app, headers }: TestGateway, document: EngagementDocument): Promise<void> {
  const url = `/v1/engagements/${document.id}`;
  const response = await app.inject({ method: 'PUT', url, headers, payload: document });
  assert.equal(response.statusCode, 200, response.body);
}

interface Tenant {
  readonly gateway: TestGateway;
  readonly url: URL;
  readonly key: string;
}

const PLAIN = { engagement: `${OWNER}-plain` };
const ASKING = { engagement: `${OWNER}-asking` };

/** Runs, plans, asks for consent, and takes a cursor of every list. */
async function act(tenant: Tenant): Promise<{ things: Belongings; principal: string }> {
  const idempotencyKey = `key-of-${randomUUID()}`;
  const runs: { runId: string; result: { secretRef: string } }[] = [];
  for (const key of [idempotencyKey, randomUUID()]) {
    const run = await ask(tenant, 'POST /v1/tools/mark/runs', {
      body: { run: PLAIN },
      more: { 'idempotency-key': key },
    });
    runs.push(run as (typeof runs)[number]);
  }
  const [one, two] = runs;
  assert.ok(one !== undefined && two !== undefined);
  const waiting = (await ask(tenant, 'POST /v1/tools/mark/runs', { body: { run: ASKING } })) as Run;
  assert.equal(waiting.state, 'awaiting_approval');
  const plan = (await ask(tenant, 'POST /v1/tools/mark/plan', { body: { run: PLAIN } })) as { planId: string };
  const list = (await ask(tenant, 'GET /v1/runs?limit=1')) as RunPage;
  const all = (await ask(tenant, 'GET /v1/findings?limit=1')) as FindingPage;
  const found = (await ask(tenant, `GET /v1/runs/${one.runId}/findings?limit=1`)) as FindingPage;
  const diff = (await ask(tenant, `GET /v1/diff?${pair(one.runId, two.runId)}`)) as { nextCursor: string };
  const things: Belongings = {
    runId: one.runId,
    otherRunId: two.runId,
    waitingId: waiting.runId,
    digest: waiting.planDigest ?? '',
    planId: plan.planId,
    secretRef: one.result.secretRef,
    findingId: found.findings[0]?.id ?? '',
    engagement: PLAIN.engagement,
    runsCursor: list.nextCursor ?? '',
    findingsCursor: all.nextCursor ?? '',
    ofRunCursor: found.nextCursor ?? '',
    diffCursor: diff.nextCursor,
    eventId: `${one.runId}:1`,
    idempotencyKey,
    ...(await actOverMcp(tenant)),
  };
  for (const [name, thing] of Object.entries(things)) assert.ok(thing.length >= 8, `${name}: ${thing}`);
  return { things, principal: waiting.owner };
}

interface Sent {
  readonly body?: object;
  readonly more?: Readonly<Record<string, string>>;
}

const pair = (from: string, to: string) => `from=${from}&to=${to}&unchanged=true&limit=1`;

async function ask(tenant: Tenant, line: string, { body, more = {} }: Sent = {}): Promise<unknown> {
  const [method, url] = line.split(' ') as ['GET' | 'POST', string];
  const payload = body === undefined ? {} : { payload: { input: INPUT, ...body } };
  const headers = { authorization: `Bearer ${tenant.key}`, ...more };
  const response = await tenant.gateway.app.inject({ method, url, headers, ...payload });
  assert.ok(response.statusCode < 300, `${line}: ${response.body}`);
  return response.json();
}

const INPUT = { host: HOST, word: WORD, secret: SECRET };

/** A session, and a question that was asked in a result. */
async function actOverMcp({ url, key }: Tenant): Promise<Pick<Belongings, 'session' | 'requestState'>> {
  const opened = await post(url, INITIALIZE, headersOf(key));
  await opened.text();
  const _meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } };
  const { body, headers } = modern(1, 'tools/call', { name: 'mark', arguments: { ...INPUT, run: ASKING }, _meta });
  const [answer] = (await messagesOf(await post(url, body, { ...headersOf(key), ...headers }))).slice(-1);
  const { requestState } = (answer as { result: { requestState?: string } }).result;
  assert.ok(requestState !== undefined, JSON.stringify(answer));
  return { session: opened.headers.get('mcp-session-id') ?? '', requestState };
}

/** The same forms with other contents: an answer may differ in nothing but what is not there. */
function nobodysOf(things: Belongings): Belongings {
  const sealed = (text: string) => randomBytes(Buffer.from(text, 'base64url').length).toString('base64url');
  const runId = randomUUID();
  return {
    runId,
    otherRunId: randomUUID(),
    waitingId: randomUUID(),
    digest: randomBytes(32).toString('hex'),
    planId: randomUUID(),
    secretRef: `secret_${randomBytes(16).toString('base64url')}`,
    findingId: things.findingId.replace(/[0-9a-f]/g, (digit) => (digit === 'f' ? '0' : 'f')),
    engagement: 'nobodyss-plain',
    runsCursor: sealed(things.runsCursor),
    findingsCursor: sealed(things.findingsCursor),
    ofRunCursor: sealed(things.ofRunCursor),
    diffCursor: sealed(things.diffCursor),
    eventId: `${runId}:1`,
    idempotencyKey: `key-of-${randomUUID()}`,
    session: randomBytes(32).toString('base64url'),
    requestState: sealed(things.requestState),
  };
}
