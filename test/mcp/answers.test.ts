import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorBody } from '../../schemas/error.ts';
import type { Scope } from '../../src/core/auth/types.ts';
import { createAnswers } from '../../src/mcp/answers.ts';
import type { ToolAnswer } from '../../src/mcp/run-answer.ts';
import type { Caller } from '../../src/mcp/exchange.ts';
import { FakeEngine } from '../fixtures/mcp/engine.ts';
import { FakeLog, HandClock } from '../fixtures/mcp/gateway.ts';
import { FakeRegistry, FIXTURE_TOOLS } from '../fixtures/mcp/tools.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';

function setUp(pageSize = 2) {
  const registry = new FakeRegistry();
  const runs = new FakeEngine();
  const log = new FakeLog();
  const answers = createAnswers({
    registry,
    runs,
    history: runs.history,
    inlineWaitMs: () => 60_000,
    log,
    clock: new HandClock(),
    version: '1',
    redactor: createRedactor(),
    progressIntervalMs: () => 1,
    pageSize,
  });
  return { registry, runs, log, answers };
}

const callerOf = (id: string, ...scopes: Scope[]): Caller => ({
  principal: { id, name: id, scopes: new Set<Scope>(scopes.length > 0 ? scopes : ['tools:read', 'runs:execute']) },
  requestId: 'request-1',
  isSlow: () => false,
});
const alice = callerOf('alice');
const signal = new AbortController().signal;
const errorOf = (answer: ToolAnswer) => answer._meta?.['sallyport/error'] as ErrorBody | undefined;

test('a cursor is opaque, bound to its principal, and nothing else is one', () => {
  const { answers } = setUp();
  const { nextCursor } = answers.listTools({}, alice);
  assert.deepEqual(
    answers.listTools({ cursor: nextCursor }, alice).tools.map(({ name }) => name),
    ['failing', 'slow'],
  );
  const bad = ['', '.', 'x', nextCursor?.slice(0, -1), `${nextCursor}.x`, nextCursor?.replace(/^./, 'A'), 7, null];
  for (const cursor of bad) assert.throws(() => answers.listTools({ cursor }, alice), { code: -32_602 });
  assert.throws(() => answers.listTools({ cursor: nextCursor }, callerOf('bob')), { code: -32_602 });
  assert.throws(() => setUp().answers.listTools({ cursor: nextCursor }, alice), { code: -32_602 });
});

test('a tool that goes between two pages does not hide another', () => {
  const { answers, registry } = setUp();
  const { nextCursor } = answers.listTools({}, alice);
  registry.setEnabled('big', false);
  registry.setEnabled('echo', false);
  assert.deepEqual(
    answers.listTools({ cursor: nextCursor }, alice).tools.map(({ name }) => name),
    ['failing', 'slow'],
  );
});

test('the list is made once and frozen, and listeners hear only of a list that became another one', () => {
  const { answers, registry } = setUp(50);
  let told = 0;
  answers.onToolsChanged(() => {
    told += 1;
  });
  const [first] = answers.listTools({}, alice).tools;
  assert.equal(answers.listTools({}, alice).tools[0], first);
  assert.ok(Object.isFrozen(first?.inputSchema));
  registry.setAvailability('echo');
  assert.equal(told, 0);
  registry.setEnabled('echo', false);
  assert.equal(told, 1);
  answers.close();
  assert.equal(registry.listeners, 0);
});

test('the list follows what is offered even when the registry did not say that it changed', () => {
  const { answers, registry } = setUp(50);
  const all = registry.offered();
  registry.offered = () => all.slice(1);
  assert.equal(answers.listTools({}, alice).tools.length, 3);
});

test('the envelope of a call is checked before anything else', async () => {
  const { answers, runs } = setUp();
  for (const params of [
    undefined,
    null,
    {},
    { name: 7 },
    { name: 'echo', arguments: [] },
    { name: 'echo', arguments: 'x' },
  ])
    await assert.rejects(answers.callTool(params, { caller: alice, signal }), { code: -32_602 });
  assert.equal(runs.requests.length, 0);
});

test('the engine gets the caller, the arguments without the reserved run, and the signal', async () => {
  const { answers, runs } = setUp();
  const params = { name: 'echo', arguments: { message: 'x', run: { timeoutMs: 5000 } } };
  const answer = await answers.callTool(params, { caller: alice, signal });
  const [request] = runs.requests;
  assert.deepEqual(request?.input, { message: 'x' });
  assert.deepEqual(request?.run, { timeoutMs: 5000 });
  assert.equal(request?.principal, alice.principal);
  assert.equal(request?.requestId, 'request-1');
  assert.equal(request?.signal, signal);
  assert.equal(answer.isError, undefined);
});

test('an error body tells the code and never the cause', async () => {
  const { answers } = setUp();
  const answer = await answers.callTool(
    { name: 'failing', arguments: { code: 'ERR_TOOL_BUSY' } },
    { caller: alice, signal },
  );
  assert.deepEqual(errorOf(answer), {
    code: 'ERR_TOOL_BUSY',
    message: 'It failed with ERR_TOOL_BUSY.',
    requestId: 'request-1',
    retryAfterMs: 1500,
  });
  assert.doesNotMatch(JSON.stringify(answer), /stays inside/);
});

test('a partial result is not repeated in the error body', async () => {
  const { answers } = setUp();
  const params = { name: 'failing', arguments: { code: 'ERR_TOOL_TIMEOUT' } };
  const answer = await answers.callTool(params, { caller: alice, signal });
  assert.deepEqual(errorOf(answer)?.details, { limitMs: 5 });
  assert.equal(answer.structuredContent?.['outcome'], 'timed_out');
});

test('an unknown tool looks the same as a known one to a key that may not run any', async () => {
  const { answers } = setUp();
  const caller = callerOf('reader', 'tools:read');
  for (const name of ['echo', 'unknown']) {
    const answer = await answers.callTool({ name }, { caller, signal });
    assert.equal(errorOf(answer)?.code, 'ERR_AUTH_FORBIDDEN');
  }
});

test('a security tool under the name of a run tool refuses to be served', () => {
  const runs = new FakeEngine();
  const taken = FIXTURE_TOOLS.map((each) => (each.name === 'slow' ? { ...each, name: 'run_list' } : each));
  const parts = { registry: new FakeRegistry(taken), runs, history: runs.history, inlineWaitMs: () => 1 };
  const rest = { log: new FakeLog(), clock: new HandClock(), version: '1', redactor: createRedactor() };
  assert.throws(() => createAnswers({ ...parts, ...rest, progressIntervalMs: () => 1 }), {
    code: 'ERR_CONFIG_INVALID',
  });
});

test('whatever breaks inside the answers reaches a client as one fixed sentence, its text goes to the log only', async () => {
  const broken = { redactValue: () => assert.fail('hunter2') };
  const runs = new FakeEngine();
  const at = { history: runs.history, inlineWaitMs: () => 1 };
  const parts = { registry: new FakeRegistry(), runs, ...at, log: new FakeLog(), clock: new HandClock() };
  const answers = createAnswers({ ...parts, version: '1', redactor: broken, progressIntervalMs: () => 1 });
  await assert.rejects(
    answers.callTool({ name: 'nowhere', arguments: {} }, { caller: alice, signal }),
    (error: Error) => {
      assert.equal(error.name, 'RpcFault');
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
  assert.match(JSON.stringify(parts.log), /request\.failed/);
});
