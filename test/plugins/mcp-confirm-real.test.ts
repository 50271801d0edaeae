import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Client as NewClient, StreamableHTTPClientTransport as NewTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import type { Approval } from '../../schemas/approval.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { markTool } from '../tenancy/mark-tool.ts';

const INFO = { name: 'test', version: '1' };
const FORMS = { capabilities: { elicitation: {} } };
const YES = { action: 'accept', content: { confirm: true } };

type Call = () => Promise<{ structuredContent?: Record<string, unknown>; isError?: boolean; _meta?: object }>;
type Connect = (t: TestContext, at: { url: URL; key: string }, answer: unknown) => Promise<Call>;

const ASKED = { name: 'mark', arguments: { host: '10.66.1.1', word: 'hello', secret: 'hidden1' } };

/** A client of each era whose person always says the same. */
const ERAS: Readonly<Record<string, Connect>> = {
  'older era': async (t, { url, key }, answer) => {
    const client = new Client(INFO, FORMS);
    client.setRequestHandler(ElicitRequestSchema, async () => answer as ElicitResult);
    const requestInit = { headers: { authorization: `Bearer ${key}` } };
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
    t.after(() => client.close());
    return async () => client.callTool(ASKED) as ReturnType<Call>;
  },
  'newer era': async (t, { url, key }, answer) => {
    const client = new NewClient(INFO, { ...FORMS, versionNegotiation: { mode: { pin: '2026-07-28' } } });
    client.setRequestHandler('elicitation/create', async () => answer as ElicitResult);
    const requestInit = { headers: { authorization: `Bearer ${key}` } };
    await client.connect(new NewTransport(url, { requestInit }));
    t.after(() => client.close());
    return async () => client.callTool(ASKED) as ReturnType<Call>;
  },
};

/** A real gateway whose one engagement wants consent to everything. */
async function setUp(t: TestContext, approvals: { selfConfirm?: boolean; quorum?: number }) {
  const gateway = await startTestGateway(t, { tools: [markTool] });
  const { app, headers } = gateway;
  const document = {
    id: 'asking',
    title: 'asking',
    approver: 'the board',
    principals: ['agent'],
    scope: { allow: ['10.66.0.0/16'] },
    tools: { allow: ['*'] },
    risk: 'exploit',
    approvals: { from: 'observe', ...approvals },
  };
  const put = await app.inject({ method: 'PUT', url: '/v1/engagements/asking', headers, payload: document });
  assert.equal(put.statusCode, 200, put.body);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const url = new URL(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/mcp`);
  const pending = async () => {
    const response = await app.inject({ url: '/v1/approvals', headers });
    return (response.json() as { approvals: Approval[] }).approvals;
  };
  return { url, key: await gateway.key(undefined, 'agent'), pending };
}

for (const [era, connect] of Object.entries(ERAS)) {
  test(`${era}: where the engagement says selfConfirm a confirmed run runs, and its answer is the result`, async (t) => {
    const { pending, ...at } = await setUp(t, { selfConfirm: true });
    const call = await connect(t, at, YES);
    const { structuredContent } = await call();
    assert.equal(structuredContent?.['outcome'], 'succeeded', JSON.stringify(structuredContent));
    assert.deepEqual(await pending(), []);
  });

  test(`${era}: without selfConfirm a confirmed run waits for somebody else`, async (t) => {
    const { pending, ...at } = await setUp(t, {});
    const call = await connect(t, at, YES);
    const { structuredContent } = await call();
    assert.equal(structuredContent?.['state'], 'awaiting_approval', JSON.stringify(structuredContent));
    const [request] = await pending();
    assert.deepEqual([request?.state, request?.decisions], ['pending', []]);
  });

  test(`${era}: of a quorum of two a confirmation is one, and the run waits for the other`, async (t) => {
    const { pending, ...at } = await setUp(t, { selfConfirm: true, quorum: 2 });
    const call = await connect(t, at, YES);
    assert.equal((await call()).structuredContent?.['state'], 'awaiting_approval');
    assert.equal((await pending())[0]?.decisions.length, 1);
  });

  test(`${era}: a declined run ends, and nobody can approve it any more`, async (t) => {
    const { pending, ...at } = await setUp(t, { selfConfirm: true });
    const call = await connect(t, at, { action: 'decline' });
    const { isError, _meta } = await call();
    assert.equal(isError, true);
    assert.match(JSON.stringify(_meta), /ERR_APPROVAL_DENIED|ERR_RUN_CANCELLED/);
    assert.deepEqual(await pending(), []);
  });
}
