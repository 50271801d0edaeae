import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ACCESS } from '../src/core/auth/access.ts';
import { METRICS } from '../src/core/metrics/table.ts';
import type { Run } from '../schemas/run-record.ts';
import { headersOf, messagesOf, modern, post } from './fixtures/mcp/clients.ts';
import { ERAS, MCP_WALK } from './tenancy/mcp-walk.ts';
import { REST_WALK } from './tenancy/rest-walk.ts';
import { look, mustHoldNone, settled, withoutEcho } from './tenancy/sight.ts';
import { makeWorld, TENANT_SCOPES, type World } from './tenancy/world.ts';

describe('another tenant with every scope but those of all', () => {
  let world: World;
  const closers: (() => void | Promise<void>)[] = [];
  before(async () => {
    world = await makeWorld({ after: (close) => void closers.push(close) });
  });
  after(async () => {
    for (const close of closers) await close();
  });

  it('has every route of the access table in its walk, and no other', () => {
    assert.deepEqual(Object.keys(REST_WALK).toSorted(), Object.keys(ACCESS).toSorted());
  });

  for (const [route, row] of Object.entries(REST_WALK)) {
    const [method = ''] = route.split(' ');
    const what = row.sees === 'none' ? 'nothing' : 'no credential';

    it(`${route} tells ${what} of others`, async () => {
      const { things, nobodys, stranger: key, traces, credentials } = world;
      const questions = row.ask(things);
      const others = row.ask(nobodys);
      for (const [index, question] of questions.entries()) {
        const seen = await look(world, { method, key }, question);
        const whole = `${seen.headers}\n${seen.body}`;
        const where = `${method} ${question.path}`;
        assert.ok(seen.status < 500, `${where}: ${seen.status} ${seen.body}`);
        mustHoldNone(withoutEcho(whole, question, things), row.sees === 'none' ? traces : credentials, where);
        const other = others[index];
        if (row.sees === 'operators' || other === undefined) continue;
        if (JSON.stringify(other) === JSON.stringify(question)) continue;
        const missing = await look(world, { method, key }, other);
        const text = (of: typeof seen, asked: unknown, from: typeof things) =>
          settled(withoutEcho(`${of.status}\n${of.headers}\n${of.body}`, asked, from));
        assert.equal(text(seen, question, things), text(missing, other, nobodys), where);
      }
    });
  }

  it('without the scope of an operator gets from its routes a refusal and nothing else', async () => {
    for (const [route, row] of Object.entries(REST_WALK)) {
      const access = ACCESS[route];
      if (row.sees === 'none' || access === undefined || access.kind === 'public') continue;
      const [method = ''] = route.split(' ');
      const key = await world.gateway.key(TENANT_SCOPES.filter((scope) => scope !== access.scope));
      for (const question of row.ask(world.things)) {
        const seen = await look(world, { method, key }, question);
        assert.equal(seen.status, 403, route);
        mustHoldNone(withoutEcho(seen.body, question, world.things), world.traces, route);
      }
    }
  });

  for (const [era, connect] of Object.entries(ERAS)) {
    it(`over MCP ${era} is offered the tools of its walk, and no other`, async () => {
      const walker = await connect(world);
      assert.deepEqual((await walker.offered()).toSorted(), Object.keys(MCP_WALK).toSorted());
      await walker.close();
    });

    for (const [tool, argsOf] of Object.entries(MCP_WALK)) {
      it(`over MCP ${era} learns nothing from ${tool}`, async () => {
        const { things, nobodys, traces } = world;
        const walker = await connect(world);
        const others = argsOf(nobodys);
        for (const [index, args] of argsOf(things).entries()) {
          const answer = await walker.call(tool, args);
          const where = `${tool} ${JSON.stringify(args)}`;
          mustHoldNone(withoutEcho(answer, args, things), traces, where);
          const other = others[index] ?? {};
          if (JSON.stringify(other) === JSON.stringify(args)) continue;
          const missing = await walker.call(tool, other);
          const text = (of: string, asked: unknown, from: typeof things) => settled(withoutEcho(of, asked, from));
          assert.equal(text(answer, args, things), text(missing, other, nobodys), where);
        }
        await walker.close();
      });
    }
  }

  it('cannot answer a question of the newer era that somebody else was asked', async () => {
    const answers = [];
    for (const { requestState } of [world.things, world.nobodys]) {
      const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } };
      const args = { host: '10.99.1.1', word: 'basaltword', secret: 'basaltsecret' };
      const { body, headers } = modern(1, 'tools/call', {
        name: 'mark',
        arguments: args,
        requestState,
        inputResponses,
      });
      const response = await post(world.url, body, { ...headersOf(world.stranger), ...headers });
      answers.push(settled(JSON.stringify(await messagesOf(response))));
    }
    assert.equal(answers[0], answers[1]);
    assert.match(answers[0] ?? '', /-32602/);
  });

  it('leaves everything of the owner as it was', async () => {
    const { things, owner } = world;
    for (const [id, state] of [
      [things.runId, 'succeeded'],
      [things.otherRunId, 'succeeded'],
      [things.waitingId, 'awaiting_approval'],
    ] as const) {
      const { body } = await look(world, { method: 'GET', key: owner }, { path: `/v1/runs/${id}` });
      assert.equal((JSON.parse(body) as Run).state, state, body);
    }
    const plan = await look(world, { method: 'GET', key: owner }, { path: `/v1/plans/${things.planId}` });
    assert.equal(plan.status, 200);
    const session = { path: '/mcp', headers: { 'mcp-session-id': things.session }, body: PING };
    assert.equal((await look(world, { method: 'POST', key: owner }, session)).status, 200);
  });

  it('finds no principal, run, target or word in the metrics, whatever is measured', async () => {
    const { body } = await look(world, { method: 'GET', key: world.stranger }, { path: '/metrics' });
    const { engagement, ...rest } = world.traces;
    mustHoldNone(body.replaceAll(/amethyst-\w+/g, '<engagement>'), rest, 'GET /metrics');
    assert.ok(engagement !== undefined);
    for (const [name, { labels }] of Object.entries(METRICS))
      for (const label of labels) assert.doesNotMatch(label, /principal|owner|key|run|target|host|address|user/, name);
  });

  it('may read what others ran when it holds runs:read:all, and ends and removes none of it', async () => {
    const key = await world.gateway.key([...TENANT_SCOPES, 'runs:read:all']);
    const { waitingId, runId } = world.things;
    assert.equal((await look(world, { method: 'GET', key }, { path: `/v1/runs/${waitingId}` })).status, 200);
    const refused = [
      await look(world, { method: 'POST', key }, { path: `/v1/runs/${waitingId}/cancel` }),
      await look(world, { method: 'DELETE', key }, { path: `/v1/runs/${runId}` }),
      await look(world, { method: 'GET', key }, { path: `/v1/secrets/${world.things.secretRef}` }),
    ];
    assert.deepEqual(
      refused.map(({ status }) => status),
      [403, 403, 404],
    );
  });
});

const PING = { jsonrpc: '2.0', id: 9, method: 'ping' };
