import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import type { Scope } from '../../src/core/auth/types.ts';
import { createAnswers } from '../../src/mcp/answers.ts';
import type { ToolAnswer } from '../../src/mcp/run-answer.ts';
import { createRedactor } from '../../src/core/redaction/redactor.ts';
import { FakeEngine } from '../fixtures/mcp/engine.ts';
import { FakeLog, HandClock, principalOf } from '../fixtures/mcp/gateway.ts';
import { finding } from '../fixtures/mcp/history.ts';
import { FakeRegistry } from '../fixtures/mcp/tools.ts';

const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
const signal = new AbortController().signal;

function setUp(scopes?: readonly Scope[]) {
  const runs = new FakeEngine();
  const answers = createAnswers({
    registry: new FakeRegistry(),
    runs,
    history: runs.history,
    inlineWaitMs: () => 0,
    log: new FakeLog(),
    clock: new HandClock(),
    version: '1',
    redactor: createRedactor(),
    progressIntervalMs: () => 1,
  });
  const operator = principalOf('operator');
  const principal = scopes === undefined ? operator : { ...operator, scopes: new Set(scopes) };
  const caller = { principal, requestId: 'r', isSlow: () => false };
  const call = (name: string, args: Record<string, unknown>) =>
    answers.callTool({ name, arguments: args }, { caller, signal });
  return { runs, history: runs.history, principal, call };
}

function realTokens({ content, structuredContent = {} }: ToolAnswer): number {
  return encode(`${content[0]?.text}${JSON.stringify(structuredContent)}`, PLAIN).length;
}

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3000 }),
  fc.string({ unit: 'grapheme', maxLength: 3000 }),
  fc.constantFrom('漏洞'.repeat(800), '\u202e\u{e0041}'.repeat(500), 'kD9/+'.repeat(900), '😀'.repeat(700), ''),
);
const result = fc.record({
  hosts: fc.array(fc.record({ address: fc.string(), banner: hostile }), { maxLength: 60 }),
  note: hostile,
});

test('whatever a run found, every answer about it stays within its budget as a real tokenizer counts', async () => {
  const budgets = fc.constantFrom(500, 700, 1500, 4000, 20_000);
  await fc.assert(
    fc.asyncProperty(result, hostile, budgets, async (found, text, maxTokens) => {
      const { history, principal, call } = setUp();
      const findings = Array.from({ length: 40 }, (_, i) => finding(i, { title: text, evidence: text, target: text }));
      const spec = { tool: 'big', result: found, findings, ended: { degraded: [text], argv: [text, text] } };
      const first = history.add(principal, spec);
      const second = history.add(principal, { ...spec, state: 'running', run: { degraded: [text] } });
      const { runId } = first.run;
      const asked: readonly (readonly [string, Record<string, unknown>])[] = [
        ['run_status', { runId: second.run.runId }],
        ['run_status', { runId }],
        ['run_result', { runId }],
        ['run_result', { runId, path: 'hosts' }],
        ['run_result', { runId, path: 'note' }],
        ['run_findings', { runId }],
        ['run_list', {}],
        ['run_diff', { from: runId, to: second.run.runId }],
      ];
      for (const [name, args] of asked) {
        const answer = await call(name, { ...args, maxTokens });
        assert.equal(answer.isError, undefined, answer.content[0]?.text);
        assert.ok(realTokens(answer) <= maxTokens, `${name}: ${realTokens(answer)} of ${maxTokens}`);
      }
    }),
    { numRuns: 25 },
  );
});

test('a large result of a call, a failed one and a handle are within the budget of the call', async () => {
  for (const maxTokens of [500, 1000, 4000, 20_000]) {
    const { call } = setUp();
    for (const [name, input] of [
      ['big', { entries: 4000, run: { maxTokens, waitMs: 1000 } }],
      ['failing', { code: 'large-partial', run: { maxTokens, waitMs: 1000 } }],
      ['failing', { code: 'ERR_TOOL_BUSY', run: { maxTokens, waitMs: 1000 } }],
      ['slow', { key: 'k', run: { maxTokens, waitMs: 0 } }],
    ] as const) {
      const answer = await call(name, input);
      assert.ok(realTokens(answer) <= maxTokens, `${name}: ${realTokens(answer)} of ${maxTokens}`);
    }
  }
});

test('the default budget is 4,000 tokens and a larger one gives more', async () => {
  const hostsOf = (answer: ToolAnswer) =>
    ((answer.structuredContent?.['result'] ?? { hosts: [] }) as { hosts: unknown[] }).hosts.length;
  const { call } = setUp();
  const usual = await call('big', { entries: 4000, run: { waitMs: 1000 } });
  const more = await call('big', { entries: 4000, run: { waitMs: 1000, maxTokens: 20_000 } });
  assert.ok(realTokens(usual) <= 4000);
  assert.ok(realTokens(usual) > 1500, 'the budget is used');
  assert.ok(hostsOf(more) > 2 * hostsOf(usual));
});

test('what is left out of a result is said, and run_result gives all of it piece by piece', async () => {
  const { history, principal, call } = setUp();
  const hosts = Array.from({ length: 500 }, (_, i) => ({ address: `10.0.0.${i}`, ports: [i, i + 1] }));
  const { run } = history.add(principal, { tool: 'big', result: { hosts, 'a.b': { c: 'x'.repeat(9000) } } });
  const whole = await call('run_result', { runId: run.runId, maxTokens: 1000 });
  assert.match(JSON.stringify(whole.structuredContent?.['shortened']), /"path":"hosts","kind":"items"/);
  assert.equal(whole.structuredContent?.['complete'], true);
  const read: unknown[] = [];
  let offset: unknown = 0;
  for (; offset !== undefined; ) {
    const part: ToolAnswer = await call('run_result', { runId: run.runId, path: 'hosts', offset, maxTokens: 1000 });
    read.push(...(part.structuredContent?.['result'] as unknown[]));
    offset = part.structuredContent?.['nextOffset'];
  }
  assert.deepEqual(read, hosts);
  const text = await call('run_result', { runId: run.runId, path: 'a.b.c' });
  assert.match(text.structuredContent?.['result'] as string, /^x+$/);
  assert.equal(text.structuredContent?.['total'], 9000);
});

test('a path or an offset that names nothing is refused, also one to a prototype', async () => {
  const { history, principal, call } = setUp();
  const { run } = history.add(principal, { result: { hosts: ['a'], count: 1 } });
  const bad = [
    { path: 'nothing' },
    { path: '__proto__' },
    { path: 'hosts.length' },
    { path: 'hosts.1' },
    { path: 'constructor.name' },
    { path: 'hosts', offset: 1 },
    { path: 'count', offset: 1 },
  ];
  for (const args of bad) {
    const { _meta } = await call('run_result', { runId: run.runId, ...args });
    assert.equal(
      (_meta?.['sallyport/error'] as { code: string } | undefined)?.code,
      'ERR_INPUT_INVALID',
      JSON.stringify(args),
    );
  }
});

test('every finding and every run is met exactly once by following the cursors, however small the pages', async () => {
  const { history, principal, call } = setUp();
  const findings = Array.from({ length: 60 }, (_, i) => finding(i, { evidence: 'e'.repeat(i * 40) }));
  const { run } = history.add(principal, { findings });
  for (let i = 0; i < 30; i += 1) history.add(principal);
  const all = async (name: string, list: string, args: Record<string, unknown>) => {
    const ids: unknown[] = [];
    let cursor: unknown;
    do {
      const answer = await call(name, { ...args, maxTokens: 800, ...(cursor === undefined ? {} : { cursor }) });
      const page = answer.structuredContent?.[list] as { id?: string; runId?: string }[];
      ids.push(...page.map(({ id, runId }) => id ?? runId));
      cursor = answer.structuredContent?.['nextCursor'];
    } while (cursor !== undefined);
    return ids;
  };
  assert.deepEqual(
    await all('run_findings', 'findings', { runId: run.runId }),
    findings.map(({ id }) => id),
  );
  assert.deepEqual(await all('run_list', 'runs', {}), [...history.kept.keys()].toReversed());
});
