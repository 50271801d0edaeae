import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import plans from '../../plugins/plans.ts';
import type { PlanView } from '../../schemas/plan.ts';
import type { Principal } from '../../src/core/auth/types.ts';
import { errorBody, SallyportError, toSallyportError } from '../../src/core/errors.ts';
import { alice, bob, planningWorld, type World } from '../core/plan/rig.ts';

const PLAN = 'POST /v1/tools/echo/plan';

/** The routes over a real planner; `x-who: bob` is bob. */
async function routes(t: TestContext, world: World = {}) {
  const made = await planningWorld(t, world);
  const app = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  app.setErrorHandler((thrown: Error & { statusCode?: number; validation?: unknown }, request, reply) => {
    if (thrown.validation !== undefined) return reply.code(400).send({ code: 'ERR_INPUT_INVALID' });
    const error = toSallyportError(thrown);
    return reply.code(error.status).send(errorBody(error, request.id));
  });
  await app.register(fakeAuth);
  for (const name of ['principal-limit', 'tools']) await app.register(fp(async () => undefined, { name }));
  await app.register(plans, made);
  t.after(() => app.close());
  const ask = async (route: string, body?: object, who = 'alice') => {
    const [method, url] = route.split(' ') as ['GET' | 'POST', string];
    const headers = { 'x-who': who };
    const reply = await app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
    return { status: reply.statusCode, body: reply.json() as Record<string, unknown> };
  };
  return { ...made, ask };
}

const fakeAuth = fp(
  async (app: FastifyInstance) => {
    app.decorateRequest('principal', null);
    app.addHook('onRequest', async (request) => {
      const principal: Principal | null = { alice, bob }[String(request.headers['x-who'])] ?? null;
      request.setDecorator('principal', principal);
    });
  },
  { name: 'auth' },
);

describe('POST /v1/tools/:name/plan', () => {
  it('answers a plan with 200, and what is refused with 200 too', async (t) => {
    const { ask, commands } = await routes(t);
    const made = await ask(PLAN, { input: { target: '10.0.0.1' }, run: { timeoutMs: 5000 } });
    assert.deepEqual([made.status, made.body['decision'], made.body['timeoutMs']], [200, 'allowed', 5000]);
    const refused = await ask(PLAN, { input: { target: '10.99.0.1' } });
    assert.deepEqual([refused.status, refused.body['decision'], refused.body['planId']], [200, 'refused', null]);
    assert.equal(commands.length, 0);
  });

  it('answers bad input, options of a run and unknown tools as errors', async (t) => {
    const { ask } = await routes(t);
    const input = { target: '10.0.0.1' };
    for (const body of [
      {},
      { input: { target: 7 } },
      { input, more: 1 },
      { input, run: { planId: 'plan_x' } },
      { input, run: { waitMs: 0 } },
      { input, run: { timeoutMs: 1 } },
    ]) {
      const { status, body: answer } = await ask(PLAN, body);
      assert.deepEqual([status, answer['code']], [400, 'ERR_INPUT_INVALID'], JSON.stringify(body));
    }
    const unknown = await ask('POST /v1/tools/rm/plan', { input });
    assert.deepEqual([unknown.status, unknown.body['code']], [404, 'ERR_TOOL_UNKNOWN']);
    assert.equal((await ask(PLAN, { input }, 'nobody')).status, 401);
  });

  it('takes the engagement that is named', async (t) => {
    const named: unknown[] = [];
    const { ask } = await routes(t, {
      engagements: {
        choose: (_who, name) => {
          named.push(name);
          throw new SallyportError('ERR_ENGAGEMENT_UNKNOWN', 'There is none.');
        },
      },
    });
    await ask(PLAN, { input: { target: '10.0.0.1' }, run: { engagement: 'acme' } });
    assert.deepEqual(named, ['acme']);
  });
});

describe('GET /v1/plans/:id', () => {
  it('answers the plan to its owner, and to others exactly as one that is not there', async (t) => {
    const { ask } = await routes(t);
    const { body: made } = await ask(PLAN, { input: { target: '10.0.0.1' } });
    const { planId } = made as unknown as PlanView;
    const own = await ask(`GET /v1/plans/${planId}`);
    assert.deepEqual([own.status, own.body], [200, made]);
    const foreign = await ask(`GET /v1/plans/${planId}`, undefined, 'bob');
    const none = await ask('GET /v1/plans/plan_none', undefined, 'bob');
    assert.equal(foreign.status, 404);
    const bare = (body: object) => ({ ...body, requestId: '' });
    assert.deepEqual(bare(foreign.body), bare(none.body));
  });
});
